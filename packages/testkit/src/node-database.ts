import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from "node:sqlite";

type Value = string | number | null | ArrayBuffer | Uint8Array<ArrayBuffer>;

/** SQLite of Node.js in the shape of the server's database port (`core/kit/database.ts`), all in memory. */
export class NodeDatabase {
  readonly #sqlite = new DatabaseSync(":memory:");
  readonly #failures: { readonly statement: RegExp; readonly error: Error }[] = [];
  #plans: string[] | undefined;
  /** Rows inserted, updated or deleted since the beginning. */
  rowsWritten = 0;

  all<T extends Record<string, Value>>(sql: string, ...params: Value[]): T[] {
    return this.#execute(sql, params) as T[];
  }

  run(sql: string, ...params: Value[]): void {
    this.#execute(sql, params);
  }

  transaction<T>(work: () => T extends Promise<unknown> ? never : T): T {
    this.#sqlite.exec("BEGIN");
    try {
      const result = work();
      this.#sqlite.exec("COMMIT");
      return result;
    } catch (error) {
      this.#sqlite.exec("ROLLBACK");
      throw error;
    }
  }

  /** The next statement that matches throws instead of running. */
  failOnce(statement: RegExp, error: Error): void {
    this.#failures.push({ statement, error });
  }

  /** What SQLite means to do for each statement that the work runs: the steps of its query plan. */
  plansOf(work: () => void): string[] {
    this.#plans = [];
    work();
    const plans = this.#plans;
    this.#plans = undefined;
    return plans;
  }

  /** Drops every table, as `deleteAll` does in an object. */
  wipe(): void {
    for (const { name } of this.all<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")) {
      this.run(`DROP TABLE ${name}`);
    }
  }

  #execute(sql: string, params: readonly Value[]): Record<string, Value>[] {
    const failure = this.#failures.findIndex(({ statement }) => statement.test(sql));
    const [fault] = failure < 0 ? [] : this.#failures.splice(failure, 1);
    if (fault !== undefined) throw fault.error;
    if (this.#plans !== undefined) {
      const steps = this.#sqlite.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...params.map(toInput));
      this.#plans.push(...steps.map(({ detail }) => String(detail)));
    }
    const before = this.#totalChanges();
    const rows = this.#sqlite.prepare(sql).all(...params.map(toInput));
    this.rowsWritten += this.#totalChanges() - before;
    return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toValue(value)])));
  }

  #totalChanges(): number {
    return Number(this.#sqlite.prepare("SELECT total_changes() AS total").get()?.total ?? 0);
  }
}

function toInput(value: Value): SQLInputValue {
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}

/** An object's SQLite gives blobs as buffers of their own. */
function toValue(value: SQLOutputValue): Value {
  if (typeof value === "bigint") throw new Error("SQLite returned an integer that no number holds.");
  return value instanceof Uint8Array ? new Uint8Array(value).buffer : value;
}

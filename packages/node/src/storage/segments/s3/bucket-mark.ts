/** The object that says whose cold segments a prefix of a bucket has. */

import { textBody, textOf, type S3Client, type S3Limits } from "./s3-client.ts";
import { S3Error } from "./s3-error.ts";

export const MARK = "durable-streams.json";

export interface Mark {
  /** Of a data directory and of all of its copies; `""` when the object is something else. */
  readonly id: string;
  /** The one of them that may store and delete objects. Older servers wrote none. */
  readonly owner: string | undefined;
}

export class BucketMark {
  readonly #client: S3Client;

  constructor(client: S3Client) {
    this.#client = client;
  }

  async read(limits?: S3Limits): Promise<Mark | undefined> {
    const response = await this.#client.send({
      method: "GET",
      key: this.#key,
      accepts: [404],
      ...(limits && { limits }),
    });
    const text = await textOf(response);
    if (response.status !== 404) {
      return { id: /"id":"([\w-]+)"/.exec(text)?.[1] ?? "", owner: /"owner":"(\w+)"/.exec(text)?.[1] };
    }
    if (text.includes("<Code>NoSuchKey</Code>")) return undefined;
    throw new S3Error("The S3 store of cold segments has no such bucket (404).", {
      failure: "refused",
      fix: "create the bucket, or correct storage.s3_bucket and storage.s3_endpoint",
    });
  }

  /** Leaves a mark that is there as it is. */
  create(mark: Mark): Promise<void> {
    return this.#write(mark, { "If-None-Match": "*" });
  }

  replace(mark: Mark): Promise<void> {
    return this.#write(mark, {});
  }

  async #write(mark: Mark, more: Readonly<Record<string, string>>): Promise<void> {
    const body = textBody(JSON.stringify(mark));
    const headers = { ...more, "Content-Type": "application/json" };
    await textOf(await this.#client.send({ method: "PUT", key: this.#key, headers, body, accepts: [412] }));
  }

  get #key(): string {
    return this.#client.settings.prefix + MARK;
  }
}

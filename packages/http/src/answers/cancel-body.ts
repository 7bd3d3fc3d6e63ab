/** Lets go of what an answer's body would be read from. */

import type { Answer } from "./answer.ts";
import { PagedBody } from "./paged-body.ts";
import { PushedBody } from "./pushed-body.ts";

/** Cancels the body of an answer that nobody will read. It never rejects. */
export async function cancelBody({ body }: Pick<Answer, "body">): Promise<void> {
  if (body instanceof PagedBody || body instanceof PushedBody) body.cancel();
  if (body instanceof ReadableStream) await body.cancel().catch(() => undefined);
}

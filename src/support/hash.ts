// SHA-256 of files and texts, for manifests and caches. Node only: the runtime that ships to browsers does
// not hash (it has crypto.subtle).

import { createHash } from "node:crypto";

/** SHA-256 of a text (as UTF-8) or of bytes, in lower-case hexadecimal. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** A module is invalid, or does not fit together with the others. */
export class ModuleError extends Error {
  override readonly name = "ModuleError";
}

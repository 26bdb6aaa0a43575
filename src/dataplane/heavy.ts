/** Packages that only the data plane needs and that a gateway's install leaves out: loaded on first use. */

/** A package of the data plane is not installed. */
class MissingPackageError extends Error {
  constructor(name: string, cause: unknown) {
    super(
      `${name} is not installed: run \`npm ci\` without --workspaces=false, which brings the data plane's packages`,
      {
        cause,
      },
    )
    this.name = 'MissingPackageError'
  }
}

const NOT_FOUND = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])

/** @throws {MissingPackageError} when the package or its native part is not there. */
export async function loadPackage<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (error) {
    if (error instanceof Error && 'code' in error && NOT_FOUND.has(String(error.code))) {
      throw new MissingPackageError(name, error)
    }
    throw error
  }
}

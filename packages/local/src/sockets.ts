import { fileURLToPath } from "node:url";

import type { Plugin, V4WorkerOptions } from "miniflare";

/**
 * A plugin for Miniflare that adds two sockets which lead straight to the Worker (the public one and the launcher's own), and
 * a service that shows which objects have files. Miniflare's own entry socket leads through another Worker, which costs most
 * of the throughput. Its `unsafeDirectSockets` does not, but lets every client forge `request.cf` and open a control
 * connection that bypasses the Worker's authentication.
 */
const SOCKETS = "sockets";

interface Addresses {
  readonly public: string;
  readonly control: string;
  readonly objects: string;
}

/** The name of the service that shows the objects' files to the Worker, and of its binding. */
const OBJECT_FILES = "OBJECT_FILES";

/** The form in which Miniflare hands a plugin's binding back to it. */
interface SocketsBinding {
  readonly dev: { readonly options: Addresses };
}

type UnsafeBinding = NonNullable<V4WorkerOptions["unsafeBindings"]>[number];

/**
 * The binding that adds the sockets and the service to a Worker.
 * @param controlPath the path of the socket on which the Worker's entry point `Control` answers.
 * @param objects the directory that holds the objects' files, which the Worker may read.
 */
export function sockets(host: string, port: number, controlPath: string, objects: string): UnsafeBinding {
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const options = { public: address, control: `unix:${controlPath}`, objects };
  return { name: SOCKETS, type: SOCKETS, plugin: { package: fileURLToPath(import.meta.url), name: SOCKETS }, options };
}

/**
 * Miniflare imports this file by the `package` above, and looks for this export.
 * @public
 */
export const plugins: Readonly<Record<string, Plugin>> = {
  [SOCKETS]: {
    getBindings: () => [{ name: OBJECT_FILES, service: { name: OBJECT_FILES } }],
    getNodeBindings: () => ({}),
    getServices: ({ options: { config } }) => {
      const binding = config.env?.[SOCKETS] as unknown as SocketsBinding | undefined;
      // The Worker for outgoing requests has no such binding.
      if (binding === undefined) return { services: [], extensions: [], sockets: [] };
      const { public: publicAddress, control, objects } = binding.dev.options;
      const name = `core:user:${config.name}`; // Miniflare's name for the service that is our Worker.
      return {
        services: [{ name: OBJECT_FILES, disk: { path: objects, writable: false } }],
        extensions: [],
        sockets: [
          { name: "public", address: publicAddress, service: { name }, http: {} },
          { name: "control", address: control, service: { name, entrypoint: "Control" }, http: {} },
        ],
      };
    },
  },
};

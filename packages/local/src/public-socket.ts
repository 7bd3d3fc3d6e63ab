import { fileURLToPath } from "node:url";

import type { Plugin, V4WorkerOptions } from "miniflare";

/**
 * A plugin of Miniflare that adds the socket which the server listens on, straight to the Worker. Miniflare's entry
 * socket leads through a Worker of its own, which costs most of the throughput. Its `unsafeDirectSockets` does not, but
 * lets every client forge `request.cf` and open a control connection that skips the Worker's authentication.
 */
const PUBLIC_SOCKET = "public-socket";

/** The form in which Miniflare hands a plugin's binding back to it. */
interface PublicSocketBinding {
  readonly dev: { readonly options: { readonly address: string } };
}

export function publicSocket(host: string, port: number): NonNullable<V4WorkerOptions["unsafeBindings"]>[number] {
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const plugin = { package: fileURLToPath(import.meta.url), name: PUBLIC_SOCKET };
  return { name: PUBLIC_SOCKET, type: PUBLIC_SOCKET, plugin, options: { address } };
}

/**
 * Miniflare imports this file by the `package` above, and looks for this export.
 * @public
 */
export const plugins: Readonly<Record<string, Plugin>> = {
  [PUBLIC_SOCKET]: {
    getBindings: () => [],
    getNodeBindings: () => ({}),
    getServices: ({ options: { config } }) => {
      const binding = config.env?.[PUBLIC_SOCKET] as unknown as PublicSocketBinding;
      const { address } = binding.dev.options;
      const service = { name: `core:user:${config.name}` }; // Miniflare's name for the service that is our Worker.
      const socket = { name: PUBLIC_SOCKET, address, service, http: {} };
      return { services: [], extensions: [], sockets: [socket] };
    },
  },
};

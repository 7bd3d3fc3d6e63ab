/** An origin that says what reached it, in place of a server. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";

const LOOPBACK = "127.0.0.1";

/** The body of each answer. */
export interface Recorded {
  readonly method: string;
  /** As it stood in the request line. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** What the TLS handshake asked for. */
  readonly serverName: string | false | undefined;
}

export interface RecordingOrigin {
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
  stop(): void;
}

/** In PEM. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/**
 * @param listener answers in place of the record.
 * @param certificate for TLS.
 */
export async function startRecordingOrigin(
  listener: RequestListener = record,
  certificate?: Certificate,
): Promise<RecordingOrigin> {
  const server = certificate === undefined ? createServer(listener) : createTlsServer(certificate, listener);
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${LOOPBACK}:${port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const record: RequestListener = ({ method = "", url = "", headers, socket }, response) => {
  const serverName =
    socket instanceof TLSSocket ? (socket as TLSSocket & { servername?: string }).servername : undefined;
  const recorded: Recorded = { method, url, headers, serverName };
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(recorded));
};

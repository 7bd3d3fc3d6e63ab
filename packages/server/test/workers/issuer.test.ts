/** Tokens of a project's own issuer, of every algorithm that is taken, and forgeries with what everybody knows of it. */
import { base64url, exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";

import { problemCode } from "./edge.ts";
import { newProject, newProjectStream, newService, newToken, withToken, type TestProject } from "./projects.ts";

const ALGORITHMS = ["RS256", "ES256", "EdDSA"] as const;
type Algorithm = (typeof ALGORITHMS)[number];

const ISSUER = "https://issuer.example/";
const service = newService();
let pairs: Readonly<Record<Algorithm, CryptoKeyPair>>;
/** The issuer's answer, as its URL has it. */
let keySet: unknown;

beforeAll(async () => {
  const [RS256, ES256, EdDSA] = await Promise.all(
    ALGORITHMS.map((algorithm) => generateKeyPair(algorithm, { extractable: true })),
  );
  if (RS256 === undefined || ES256 === undefined || EdDSA === undefined) throw new Error("There are three.");
  pairs = { RS256, ES256, EdDSA };
  const keys = ALGORITHMS.map(async (kid) => ({ ...(await exportJWK(pairs[kid].publicKey)), kid }));
  keySet = { keys: await Promise.all(keys) };
});

afterEach(() => {
  vi.restoreAllMocks();
});

interface Setting {
  readonly project: TestProject;
  readonly path: string;
  readonly fetched: { readonly mock: { readonly calls: unknown[][] } };
}

/** A project with an issuer whose keys nobody has fetched yet. */
async function setUp(answer: () => Promise<Response> = async () => Response.json(keySet)): Promise<Setting> {
  const jwksUrl = `https://issuer.example/${crypto.randomUUID()}`;
  const project = await newProject(service, { issuer: { jwksUrl, issuer: ISSUER } });
  const path = await newProjectStream(service, project, "content");
  return { project, path, fetched: vi.spyOn(globalThis, "fetch").mockImplementation(answer) };
}

const claimsOf = (project: TestProject) => ({
  sub: project.name,
  scope: "manage",
  iss: ISSUER,
  exp: Math.floor(Date.now() / 1000) + 60,
});

interface Signer {
  readonly kid?: string;
  readonly key?: CryptoKeyPair;
}

function signed(project: TestProject, algorithm: Algorithm, { kid = algorithm, key = pairs[algorithm] }: Signer = {}) {
  return new SignJWT(claimsOf(project)).setProtectedHeader({ alg: algorithm, kid }).sign(key.privateKey);
}

async function read(path: string, token: string): Promise<Response> {
  return service.fetch(path, withToken("GET", token));
}

/** A token whose header is one thing and whose signature another. */
async function forged(project: TestProject, header: object, key: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const text = [header, claimsOf(project)].map((part) => base64url.encode(JSON.stringify(part))).join(".");
  const bytes = typeof key === "string" ? new TextEncoder().encode(key) : key;
  const hmac = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", hmac, new TextEncoder().encode(text));
  return `${text}.${base64url.encode(new Uint8Array(signature))}`;
}

describe.each(ALGORITHMS)("an issuer that signs with %s", (algorithm) => {
  it("[PJ5] is believed, and asked for its keys once", async () => {
    const { project, path, fetched } = await setUp();
    for (let count = 0; count < 3; count += 1) {
      const response = await read(path, await signed(project, algorithm));
      expect([response.status, await response.text()]).toEqual([200, "content"]);
    }
    expect(fetched.mock.calls).toHaveLength(1);
  });

  it("[PJ5] is not to be impersonated: by another's key, another kid, or a changed payload", async () => {
    const { project, path } = await setUp();
    const mine = await generateKeyPair(algorithm);
    const other = ALGORITHMS.find((candidate) => candidate !== algorithm) ?? "";
    const changed = (await signed(project, algorithm)).split(".");
    changed[1] = base64url.encode(JSON.stringify({ ...claimsOf(project), exp: 9_999_999_999 }));
    for (const token of [
      await signed(project, algorithm, { key: mine }),
      await signed(project, algorithm, { kid: other }),
      await signed(project, algorithm, { kid: "unknown" }),
      changed.join("."),
    ]) {
      expect((await read(path, token)).status).toBe(401);
    }
  });

  it("[PJ5] is not to be impersonated with HS256 by its public key, in any of its forms", async () => {
    const { project, path } = await setUp();
    const { publicKey } = pairs[algorithm];
    const pem = await exportSPKI(publicKey);
    const jwk = await exportJWK(publicKey);
    const der = new Uint8Array((await crypto.subtle.exportKey("spki", publicKey)) as ArrayBuffer);
    const keys = [pem, pem.trim(), `${pem}\n`, JSON.stringify(jwk), JSON.stringify({ ...jwk, kid: algorithm }), der];
    for (const key of keys) {
      for (const kid of [algorithm, project.kid, undefined]) {
        const header = { alg: "HS256", ...(kid === undefined ? {} : { kid }) };
        expect((await read(path, await forged(project, header, key))).status).toBe(401);
      }
    }
    expect((await read(path, await forged(project, { alg: "HS256" }, project.secret))).status).toBe(200);
  });

  it("has the projects that name it, and no others", async () => {
    const { project, path } = await setUp();
    const without = await newProject(service);
    const foreign = await newProjectStream(service, without);
    for (const subject of [project, without]) {
      expect((await read(foreign, await signed(subject, algorithm))).status).toBe(401);
    }
    expect((await read(path, await signed(without, algorithm))).status).toBe(401);
  });
});

it.each(["none", "NONE", "", "RS512", "PS256", "ES384", "ES256K", "HS384", "HS512", "Ed25519", "dir"])(
  "[PJ5] the algorithm '%s' is refused where there is an issuer, and the issuer is not asked",
  async (alg) => {
    const { project, path, fetched } = await setUp();
    const [, payload = "", signature = ""] = (await signed(project, "RS256")).split(".");
    for (const end of ["", signature]) {
      const header = base64url.encode(JSON.stringify({ alg, kid: "RS256" }));
      expect((await read(path, `${header}.${payload}.${end}`)).status).toBe(401);
    }
    expect(fetched.mock.calls).toHaveLength(0);
  },
);

it("a symmetric key in the issuer's key set is nobody's secret", async () => {
  const secret = "s".repeat(32);
  const keys = [{ kty: "oct", k: base64url.encode(secret), kid: "oct", alg: "HS256" }];
  const { project, path } = await setUp(async () => Response.json({ keys }));
  for (const alg of ["HS256", "RS256"]) {
    expect((await read(path, await forged(project, { alg, kid: "oct" }, secret))).status).toBe(401);
  }
});

describe("an issuer that does not say its keys", () => {
  it.each<[string, () => Promise<Response>]>([
    ["is down", () => Promise.reject(new TypeError("connection refused"))],
    ["redirects", async () => new Response(null, { status: 301, headers: { Location: "http://169.254.169.254/" } })],
    ["has an error", async () => new Response("no", { status: 500 })],
    ["says something else", async () => new Response("{}")],
    ["has a key that is none", async () => Response.json({ keys: [{ kty: "RSA", kid: "RS256", n: "!", e: "AQAB" }] })],
  ])("because it %s: 503, which clients try again, and the project's own secrets go on", async (_what, answer) => {
    const { project, path, fetched } = await setUp(answer);
    for (let count = 0; count < 3; count += 1) {
      const response = await read(path, await signed(project, "RS256"));
      expect([response.status, await problemCode(response)]).toEqual([503, "unavailable"]);
      expect(response.headers.get("Retry-After")).toBe("5");
    }
    expect(fetched.mock.calls).toHaveLength(1);
    expect((await read(path, await newToken(project))).status).toBe(200);
  });
});

it("only ADMIN_SECRET sets an issuer on the server's own machine", async () => {
  const project = await newProject(service);
  const body = { issuer: { jwksUrl: "http://localhost:9000/jwks", issuer: ISSUER } };
  const token = await newToken(project);
  const response = await service.fetch(`/v1/projects/${project.name}`, withToken("PATCH", token, body));
  expect([response.status, await problemCode(response)]).toEqual([403, "forbidden"]);
});

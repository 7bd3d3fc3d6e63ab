/** The options of cold segments in a bucket, and how they become those of the storage. */

import { resolve } from "node:path";

import { choice, type Setting } from "@durable-streams-cloudflare/core/setting-kinds";

import {
  BUCKET_PATTERN,
  PREFIX_PATTERN,
  REGION_DEFAULT,
  REGION_PATTERN,
  type S3Options,
} from "../storage/segments/s3/s3-options.ts";

function text(pattern: RegExp, expects: string, about: string, defaultValue = ""): Setting {
  return { kind: "text", default: defaultValue, pattern, expects, about };
}

function credential(about: string, isSecret: boolean): Setting {
  const expects = "1 to 4096 printable characters without spaces";
  const plain = { kind: "text", default: "", pattern: /^[!-~]{1,4096}$/, expects, about } as const;
  return isSecret ? { ...plain, isSecret: true } : plain;
}

export const S3_OPTIONS = [
  {
    path: "storage.segments",
    setting: choice(
      "folder",
      ["folder", "s3"],
      "where cold segments are; folder: in the data directory; s3: in a bucket",
    ),
  },
  {
    path: "storage.s3_endpoint",
    setting: text(
      /^https?:\/\/[\w.:[\]-]+\/?$/,
      "a URL without a path",
      "with s3: the URL of the store; by default that of Amazon S3 in the region",
    ),
  },
  { path: "storage.s3_bucket", setting: text(BUCKET_PATTERN, "the name of a bucket", "with s3: the bucket") },
  {
    path: "storage.s3_region",
    setting: text(REGION_PATTERN, "the name of a region", "with s3: its region; auto on Cloudflare R2", REGION_DEFAULT),
  },
  {
    path: "storage.s3_prefix",
    setting: text(
      PREFIX_PATTERN,
      "letters, digits, _, - and ., with slashes between parts",
      "with s3: what the keys of all objects begin with; each data directory needs its own",
    ),
  },
  {
    path: "storage.s3_take_over_from",
    setting: text(
      /^[0-9a-f]{16}$/,
      "16 hexadecimal digits",
      "with s3: the copy of this data directory whose objects this one takes over, as the refused start names it",
    ),
  },
  {
    path: "storage.s3_force_path_style",
    setting: choice(
      "on",
      ["on", "off"],
      "with s3: on: the bucket is in the path of URLs; off: it is in their host name",
    ),
  },
  {
    path: "storage.s3_access_key_id",
    setting: credential("with s3: the id of the access key; by default AWS_ACCESS_KEY_ID", false),
    otherVariable: "AWS_ACCESS_KEY_ID",
    credential: "aws",
  },
  {
    path: "storage.s3_secret_access_key",
    setting: credential("with s3: the secret of the access key; by default AWS_SECRET_ACCESS_KEY", true),
    otherVariable: "AWS_SECRET_ACCESS_KEY",
    credential: "aws",
  },
  {
    path: "storage.s3_session_token",
    setting: credential("with s3: the token of temporary credentials; by default AWS_SESSION_TOKEN", true),
    otherVariable: "AWS_SESSION_TOKEN",
    credential: "aws",
  },
  {
    path: "storage.s3_credentials_file",
    setting: text(
      /^[^\0\n]+$/,
      "the path of a file",
      "with s3: a file with the credentials, in place of these three; read again when it changes",
    ),
  },
] as const;

type S3Path = (typeof S3_OPTIONS)[number]["path"];

interface S3Values {
  /** Paths in values are relative to it. */
  readonly cwd: string;
  readonly valueOf: (path: S3Path) => string;
  readonly isChosen: (path: S3Path) => boolean;
}

/** The bucket of cold segments, if they are in one. */
export function s3Of({ cwd, valueOf, isChosen }: S3Values): S3Options | undefined {
  if (valueOf("storage.segments") !== "s3") return undefined;
  const hasFile = isChosen("storage.s3_credentials_file");
  return {
    bucket: valueOf("storage.s3_bucket"),
    ...(hasFile
      ? { credentialsFile: resolve(cwd, valueOf("storage.s3_credentials_file")) }
      : {
          accessKeyId: valueOf("storage.s3_access_key_id"),
          secretAccessKey: valueOf("storage.s3_secret_access_key"),
        }),
    region: valueOf("storage.s3_region"),
    forcePathStyle: valueOf("storage.s3_force_path_style") === "on",
    ...(!hasFile && isChosen("storage.s3_session_token") ? { sessionToken: valueOf("storage.s3_session_token") } : {}),
    ...(isChosen("storage.s3_endpoint") ? { endpoint: valueOf("storage.s3_endpoint") } : {}),
    ...(isChosen("storage.s3_prefix") ? { prefix: valueOf("storage.s3_prefix") } : {}),
    ...(isChosen("storage.s3_take_over_from") ? { takeOverFrom: valueOf("storage.s3_take_over_from") } : {}),
  };
}

/** The plan of a setup with all optional parts. */
export const SETUP_STEPS = [
  "claim",
  "scaffold",
  "install",
  "bucket",
  "namespace",
  "queue",
  "configure",
  "address",
  "deploy",
  "secret",
  "smoke",
  "project",
  "profile",
];

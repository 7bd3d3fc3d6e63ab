/** The plan of a setup that leaves nothing out. */
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

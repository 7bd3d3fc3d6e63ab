/** Carries out the jobs that a load process receives, one after the other. */
export function serveJobs<Job, Result>(run: (job: Job) => Promise<Result>): void {
  process.on("message", (job: Job) => {
    void run(job).then(
      (result) => process.send?.({ result }),
      (error: unknown) => process.send?.({ error: String(error) }),
    );
  });
}

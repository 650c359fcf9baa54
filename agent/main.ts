/** Entry of every process of the agent. What one of them does not need it does not load: executors must start fast. */
const start = async (): Promise<void> => {
  switch (process.argv[2]) {
    case 'executor':
      return (await import('./session/executor.ts')).runExecutor();
    case 'worker':
      return (await import('./session/worker.ts')).runWorker();
    default:
      if (Number.parseInt(process.versions.node, 10) < 24) {
        throw new Error(`The agent needs Node.js 24 or newer; this is ${process.versions.node}.`);
      }
      return (await import('./cli.ts')).runCommandLine(process.argv);
  }
};

start().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
  // A half-started service must not linger.
  process.exit();
});

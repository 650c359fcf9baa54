import { runProgram } from './program.ts';

// A reader that stops early (`lr devices | head -1`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

/** Leaves by itself once everything is written; what may still be open is of no use to anyone. */
const leave = (exitCode: number): void => {
  process.exitCode = exitCode;
  process.stdout.write('', () => process.exit(exitCode));
};

runProgram(process.argv.slice(2)).then(leave, (error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  leave(70);
});

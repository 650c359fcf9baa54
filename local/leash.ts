import { spawn } from 'node:child_process';

/**
 * Runs a command that would outlive us as a daemon should, and ends it when whoever started us is gone: their end of our
 * stdin closes however they die. `node leash.ts <command> <argument>…`
 */
const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new Error('Say what to run: node leash.ts <command> <argument>…');

const killAfterMs = 5_000;
const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
process.stdout.write(`{"leashed":${child.pid}}\n`);

const end = (): void => {
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), killAfterMs).unref();
};
process.stdin.once('end', end).once('error', end).resume();
process.on('SIGTERM', end);
process.on('SIGINT', end);
child.once('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 0)));

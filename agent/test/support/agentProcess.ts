import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The program under test: the sources, or a bundle that the variable names. */
const agentMain =
  process.env['LIVE_RESPONSE_AGENT'] ?? fileURLToPath(new URL('../../main.ts', import.meta.url));

/** Runs one of the agent's commands to its end. */
export const runAgent = async (
  ...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> => {
  const child = spawn(process.execPath, [agentMain, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => (stdout += String(text)));
  child.stderr.on('data', (text) => (stderr += String(text)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
};

/** A running service. */
export class AgentProcess {
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  stderr = '';

  /** @param launcher is a program with its arguments that becomes the agent, such as one that limits it. */
  constructor(stateDirectory: string, env: Record<string, string> = {}, launcher: readonly string[] = []) {
    const [program = '', ...args] = [
      ...launcher,
      process.execPath,
      agentMain,
      'run',
      '--state',
      stateDirectory,
    ];
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', ...env },
    });
    this.child = child;
    child.stderr.on('data', (text) => {
      this.stderr += String(text);
      if (process.env['SHOW_AGENT'] !== undefined) process.stderr.write(text);
    });
    this.exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    this.ready = new Promise((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        if ((JSON.parse(line) as { ready?: boolean }).ready === true) resolve();
      });
      void this.exit.then(({ code, signal }) =>
        reject(new Error(`ended with ${code ?? signal}: ${this.stderr}`)),
      );
    });
    this.ready.catch(() => undefined);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.child.kill(signal);
    await this.exit;
  }
}

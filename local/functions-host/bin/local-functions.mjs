#!/usr/bin/env node
// Plain JavaScript, so that any Node can read it; the rest is TypeScript and needs Node 24.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const isNewEnough = (version) => Number(version.split('.')[0]) >= 24;
const startedAgain = process.env.LOCAL_FUNCTIONS_STARTED_AGAIN !== undefined;

if (isNewEnough(process.versions.node)) {
  delete process.env.LOCAL_FUNCTIONS_STARTED_AGAIN; // the app inherits the environment
  await import('../commandLine/program.ts');
} else {
  let binary;
  try {
    const manifest = createRequire(import.meta.url).resolve('node/package.json');
    binary = join(manifest, '..', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  } catch {
    // Not installed: said below.
  }
  if (binary === undefined || startedAgain) {
    refuse(`this is Node ${process.versions.node} and the checkout brings no newer one`);
  }
  // The channel tells the child of our end, however we end.
  const child = spawn(binary, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, LOCAL_FUNCTIONS_STARTED_AGAIN: '1' },
  });
  process.on('SIGINT', () => {}); // the terminal sends Ctrl+C to both; the child ends in order, and we with it
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => refuse(`${binary} cannot be started (${error.message})`));
  child.on('exit', (code) => process.exit(code ?? 1));
}

function refuse(why) {
  process.stderr.write(
    `local-functions needs Node 24 or newer: ${why}.\n` +
      'Run "npm ci" in the checkout of local-functions with install scripts allowed, or start it with Node 24.\n',
  );
  process.exit(1);
}

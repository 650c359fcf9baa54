#!/usr/bin/env node
// Plain JavaScript, so that any Node can read it: Node 24 is needed for the rest, which is TypeScript.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const isNewEnough = (version) => Number(version.split('.')[0]) >= 24;

if (isNewEnough(process.versions.node)) {
  await import('../main.ts');
} else {
  runAgainWith(nodeOfThisCheckout());
}

/** The binary of the dev dependency `node`, when it is installed and was not tried already. */
function nodeOfThisCheckout() {
  if (process.env.LR_STARTED_AGAIN === undefined) {
    try {
      const folder = dirname(createRequire(import.meta.url).resolve('node/package.json'));
      const binary = join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
      if (existsSync(binary)) return binary;
    } catch {
      // Not installed: said below.
    }
  }
  process.stderr.write(
    `lr needs Node 24 or newer; this is Node ${process.versions.node} and the checkout brings no newer one.\n` +
      'Run "npm ci" in the checkout (with install scripts allowed), or start lr with Node 24.\n',
  );
  process.exit(70);
}

function runAgainWith(binary) {
  const child = spawn(binary, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, LR_STARTED_AGAIN: '1' },
  });
  // The terminal sends Ctrl+C to both; what it means is the child's to decide.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`${binary} cannot be started: ${error.message}\n`);
    process.exit(70);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

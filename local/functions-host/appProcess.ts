/**
 * Entry of an app process: offers `@azure/functions-core`, loads the app and runs what the host sends.
 * It ends when the channel to the host closes, so a dead host leaves nothing behind.
 */
import { globSync, readFileSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { CoreModule } from './coreModule.ts';
import type { FromAppProcess, Invocation, ToAppProcess } from './protocol.ts';
import { shiftClock } from './shiftClock.ts';

const coreKey = Symbol.for('live-response.functions-core');
const coreUrl = 'functions-core:exports';
let core: CoreModule | undefined;

process.on('disconnect', () => process.exit(0));
// A terminal's Ctrl-C reaches the whole process group; the host decides when its children end.
process.on('SIGINT', () => undefined);
process.on('message', (message: ToAppProcess) => {
  if (message.kind === 'start') {
    if (message.clockSkewSeconds !== 0) shiftClock(message.clockSkewSeconds);
    void start(message.appRoot, message.minimumLogLevel);
  } else if (message.kind === 'invoke') void invoke(message);
  else void stop();
});

function send(message: FromAppProcess): void {
  if (process.connected) process.send?.(message);
}

async function start(appRoot: string, minimumLogLevel: string): Promise<void> {
  try {
    core = new CoreModule(minimumLogLevel);
    offerCoreModule(core);
    process.chdir(appRoot);
    await loadApp(appRoot);
    const capabilities = await core.finishStart(appRoot);
    send({ kind: 'loaded', functions: [...core.functions.values()], capabilities: { ...capabilities } });
  } catch (error) {
    send({
      kind: 'notLoaded',
      reason: reasonOf(error),
    });
  }
}

/** The app package does not lead to any code; where in this host that was noticed helps nobody. */
class NoEntryPoint extends Error {}

function reasonOf(error: unknown): string {
  if (error instanceof NoEntryPoint) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : inspect(error);
}

function offerCoreModule(module: CoreModule): void {
  (globalThis as Record<symbol, unknown>)[coreKey] = module.exports();
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === '@azure/functions-core'
        ? { url: coreUrl, format: 'commonjs', shortCircuit: true }
        : next(specifier, context),
    load: (url, context, next) =>
      url === coreUrl
        ? {
            format: 'commonjs',
            source: `module.exports = globalThis[Symbol.for('${coreKey.description}')]`,
            shortCircuit: true,
          }
        : next(url, context),
  });
}

async function loadApp(appRoot: string): Promise<void> {
  const manifest = JSON.parse(readFileSync(path.join(appRoot, 'package.json'), 'utf8')) as {
    main?: string;
    type?: string;
  };
  if (manifest.main === undefined) {
    throw new NoEntryPoint(
      `${appRoot}/package.json has no "main"; it names the files that register functions.`,
    );
  }
  const files = globSync(manifest.main, { cwd: appRoot }).sort();
  if (files.length === 0) {
    throw new NoEntryPoint(
      `No file matches the entry point "${manifest.main}" of ${appRoot}/package.json. Build the app first.`,
    );
  }
  const require = createRequire(path.join(appRoot, 'package.json'));
  for (const file of files) {
    const full = path.join(appRoot, file);
    if (file.endsWith('.mjs') || (manifest.type === 'module' && !file.endsWith('.cjs'))) {
      await import(pathToFileURL(full).href);
    } else require(full);
  }
}

async function invoke(invocation: Invocation): Promise<void> {
  const { invocationId } = invocation;
  try {
    if (core === undefined) throw new Error('The app has not been loaded.');
    const { returnValue, outputData } = await core.invoke(invocation);
    send({
      kind: 'succeeded',
      invocationId,
      result: {
        ...(returnValue !== undefined && { returnValue }),
        ...(outputData !== undefined && { outputData }),
      },
    });
  } catch (error) {
    send({
      kind: 'failed',
      invocationId,
      message: messageOf(error),
      stack: error instanceof Error ? (error.stack ?? '') : '',
    });
  }
}

/** Errors that are not Error objects become text as in the real worker: objects as JSON. */
function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === 'object' && error !== null ? JSON.stringify(error) : String(error);
}

async function stop(): Promise<void> {
  try {
    await core?.terminate();
  } finally {
    process.exit(0);
  }
}

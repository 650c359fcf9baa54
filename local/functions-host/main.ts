import { runPart } from '../runPart.ts';
import type { HostConfig } from './config.ts';
import { startFunctionsHost } from './host.ts';

await runPart<HostConfig>(async (config) => {
  const { url, appProcesses, close } = await startFunctionsHost(config);
  return { url, appProcesses, close };
});

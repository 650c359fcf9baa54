import { runPart } from '../runPart.ts';
import type { HostConfig } from './config.ts';
import { startFunctionsHost } from './host.ts';

await runPart<HostConfig>((config) => startFunctionsHost(config));

import { runPart } from '../runPart.ts';
import { startIdentity } from './server.ts';

await runPart(startIdentity);

import { runPart } from '../runPart.ts';
import { startStorage } from './server.ts';

await runPart(startStorage);

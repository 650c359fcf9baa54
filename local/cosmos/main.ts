import { runPart } from '../runPart.ts';
import { startCosmos } from './server.ts';

await runPart(startCosmos);

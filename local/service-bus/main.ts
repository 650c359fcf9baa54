import { runPart } from '../runPart.ts';
import { startBroker } from './broker.ts';

await runPart(startBroker);

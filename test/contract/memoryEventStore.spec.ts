import { MemoryEventStore } from '../support/memoryEventStore.ts';
import { eventStoreContract } from './eventStore.contract.ts';

const store = new MemoryEventStore();
eventStoreContract('memory', () => store);

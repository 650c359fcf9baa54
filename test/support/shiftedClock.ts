import { shiftClock } from '../../local/functions-host/shiftClock.ts';

/** Loaded into a process by `--import file:///…/shiftedClock.ts?seconds=21600`: its wall clock is wrong by that much. */
shiftClock(Number(new URL(import.meta.url).searchParams.get('seconds')));

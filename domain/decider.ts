/** A decision procedure: no clock, no I/O, no randomness. Everything it needs is in the command. */
export interface Decider<Command, State, Event> {
  readonly initialState: State;
  /** Returns what happened, nothing when there is nothing to do; throws a {@link DomainError} for a broken rule. */
  readonly decide: (command: Command, state: State) => readonly Event[];
  /** Total: never throws for an event that was ever written. */
  readonly evolve: (state: State, event: Event) => State;
}

/** Put in every `default:` branch; a new union member then fails the build, not the night shift. */
export const unreachable = (value: never): never => {
  throw new Error(`Unhandled case: ${JSON.stringify(value)}`);
};

export const fold = <Command, State, Event>(
  decider: Decider<Command, State, Event>,
  events: Iterable<Event>,
  from: State = decider.initialState,
): State => {
  let state = from;
  for (const event of events) state = decider.evolve(state, event);
  return state;
};

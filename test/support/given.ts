import { expect } from 'vitest';
import { type Decider, fold } from '../../domain/decider.ts';
import { DomainError } from '../../domain/domainError.ts';

/** given(events).when(command).then(events) for any decider. */
export const specification = <Command, State, Event>(decider: Decider<Command, State, Event>) => ({
  given: (...history: readonly Event[]) => ({
    when: (command: Command) => {
      const state = fold(decider, history);
      const decide = () => decider.decide(command, state);
      return {
        then: (...expected: readonly Event[]) => expect(decide()).toEqual(expected),
        thenNothing: () => expect(decide()).toEqual([]),
        thenTypes: (...types: readonly string[]) =>
          expect(decide().map((event) => (event as { readonly type: string }).type)).toEqual(types),
        thenRefuses: (code: string) => {
          const refusal = refusalOf(decide);
          expect(refusal?.code).toBe(code);
          return refusal;
        },
        events: decide,
        state: () => fold(decider, decide(), state),
      };
    },
    state: () => fold(decider, history),
  }),
});

export const refusalOf = (decide: () => unknown): DomainError | undefined => {
  try {
    decide();
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  return undefined;
};

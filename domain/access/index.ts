import type { StreamFold } from '../eventStore.ts';

/**
 * Events of `access-{tenantId}-{yyyymmdd}`: who read what. They stand apart so that reading a history never changes the
 * chain that is being read. Names and fields are stored data. There is nothing to decide, so there is no decider.
 */
export type AccessEvent =
  | {
      readonly type: 'FileDownloadGranted';
      readonly data: {
        readonly sessionId: string;
        readonly fileId: string;
        readonly sha256: string;
        readonly by: string;
        readonly expiresAt: string;
        readonly at: string;
      };
    }
  | {
      readonly type: 'LibraryFileDownloadGranted';
      readonly data: {
        readonly name: string;
        readonly sha256: string;
        readonly by: string;
        readonly expiresAt: string;
        readonly at: string;
      };
    }
  | {
      readonly type: 'OutputRead';
      readonly data: {
        readonly sessionId: string;
        readonly commandId: string;
        readonly by: string;
        readonly at: string;
      };
    };

export interface AccessState {
  readonly events: number;
}

export const accessFold: StreamFold<AccessState> = {
  foldVersion: 1,
  initialState: { events: 0 },
  evolve: (state) => ({ events: state.events + 1 }),
};

/** One stream per day. `now` is UTC ISO 8601. */
export const accessStream = (tenantId: string, now: string): string =>
  `access-${tenantId}-${now.slice(0, 10).replaceAll('-', '')}`;

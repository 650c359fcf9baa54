/** Events of `slots-{tenantId}`: who holds an open session. Names and fields are stored data. */
export type SlotsEvent =
  | {
      readonly type: 'SlotTaken';
      readonly data: {
        readonly sessionId: string;
        readonly deviceId: string;
        readonly userId: string;
        /** Grows with every slot of the tenant, so also per device: an agent refuses anything older than the newest it saw. */
        readonly epoch: number;
        readonly at: string;
      };
    }
  | {
      readonly type: 'SlotReleased';
      readonly data: { readonly sessionId: string; readonly reason: string; readonly at: string };
    };

/** Names of RFC 9293 in small letters; `bound` is what Windows calls a port that is taken and not used. */
export const connectionStates = [
  'listen',
  'established',
  'syn-sent',
  'syn-received',
  'fin-wait-1',
  'fin-wait-2',
  'close-wait',
  'closing',
  'last-ack',
  'time-wait',
  'closed',
  'bound',
] as const;
export type ConnectionState = (typeof connectionStates)[number];

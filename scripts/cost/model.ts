import type { MeasuredOperations, Usage } from './usage.ts';

export type PriceName =
  | 'functionGbSecond'
  | 'functionExecution'
  | 'functionReadyGbSecond'
  | 'functionReadyActiveGbSecond'
  | 'storeRequestUnit'
  | 'storeHundredUnitsHour'
  | 'storeGbMonth'
  | 'storeBackupGbMonth'
  | 'namespaceMonth'
  | 'busOperation'
  | 'busConnectionMonth'
  | 'blobGbMonth'
  | 'blobWrite'
  | 'keySignature'
  | 'logGb'
  | 'durableAction';

/** Prices of one unit; null where no list price is at hand: then the use is shown and no money. */
export interface Prices {
  readonly currency: string;
  readonly region: string;
  readonly asOf: string;
  readonly prices: Readonly<Record<PriceName, { readonly price: number | null; readonly per: string }>>;
}

/** What a tenant does in a month of 30 days, and how the system is deployed. */
export interface Workload {
  readonly devices: number;
  /** Sessions in the month. */
  readonly sessions: number;
  /** Commands in a session. */
  readonly commands: number;
  /** Minutes for which a session is followed. */
  readonly minutes: number;
  /** Bytes that a session collects from its device. */
  readonly collectedBytes: number;
  /** Seconds between two heartbeats of a device. */
  readonly heartbeat: number;
  /** Months for which events and files are kept; the sum is that of a month in the steady state. */
  readonly keptMonths: number;
  /** Followed sessions that share an instance of the app. */
  readonly sharing: number;
  readonly instanceGb: number;
  /** Always-ready instances. */
  readonly ready: number;
  /** Autoscale maximum of the database, request units per second; null for serverless. */
  readonly autoscaleUnits: number | null;
}

export interface Line {
  readonly resource: string;
  readonly what: string;
  readonly used: number;
  /** What is left to pay after what is free or included. */
  readonly billed: number;
  /** Null when its price is not known. */
  readonly cost: number | null;
}

export const secondsPerMonth = 30 * 24 * 3600;
const hoursPerMonth = 30 * 24;
const devicesPerNamespace = 4_000;
/** Send, receive, settle. */
const operationsPerMessage = 3;
const blockBytes = 8 * 1024 ** 2;
const gigabyte = 1024 ** 3;
/** Taken from the shape of a log line; not measured on Azure. */
const logBytesPerExecution = 1_000;
/** Two messages open and close a session; each command is one. Every one of them is signed. */
const signaturesPerSession = 2;
/** An execution keeps its instance at work for a second at least; those of the same second share it. */
const leastSeconds = 1;
const secondsAtWork = (executions: number): number =>
  secondsPerMonth * (1 - Math.exp((-executions * leastSeconds) / secondsPerMonth));
const free = { executions: 250_000, gbSeconds: 100_000, busOperations: 13e6, connections: 1_000, logGb: 5 };

/** What the workload uses in a month of everything that was measured. */
export const usageOf = (workload: Workload, measured: MeasuredOperations): Usage => {
  const heartbeats = (workload.devices * secondsPerMonth) / workload.heartbeat;
  const times: readonly (readonly [number, Usage])[] = [
    [secondsPerMonth, measured.idleSecond],
    [heartbeats, measured.heartbeat],
    [workload.sessions, measured.session],
    [workload.sessions * workload.minutes * 60, measured.followedSecond],
    [workload.sessions * workload.commands, measured.command],
  ];
  const sum = (key: keyof Usage): number =>
    times.reduce((total, [count, usage]) => total + count * usage[key], 0);
  return {
    requestUnits: sum('requestUnits'),
    executions: sum('executions'),
    messages: sum('messages'),
    durableActions: sum('durableActions'),
  };
};

/** Autoscale bills each hour's peak, and never less than a tenth of its maximum; here the load is even. */
const autoscaledHundreds = (requestUnits: number, maximum: number): number =>
  Math.min(maximum, Math.max(maximum / 10, requestUnits / secondsPerMonth)) / 100;

/** What a month costs, line by line. */
export const monthlyCost = (
  workload: Workload,
  measured: MeasuredOperations,
  { prices }: Prices,
): readonly Line[] => {
  const usage = usageOf(workload, measured);
  const { sessions, commands, devices, instanceGb, keptMonths, ready } = workload;
  const line = (resource: string, what: string, price: PriceName, used: number, included = 0): Line => {
    const billed = Math.max(0, used - included);
    const each = prices[price].price;
    return { resource, what, used, billed, cost: each === null ? null : billed * each };
  };
  const followed = sessions * workload.minutes * 60;
  const active = (followed / workload.sharing + secondsAtWork(usage.executions)) * instanceGb;
  const onDemand = ready === 0;
  const app = [
    line('Function app', 'executions', 'functionExecution', usage.executions, onDemand ? free.executions : 0),
    line(
      'Function app',
      'GB-seconds at work',
      onDemand ? 'functionGbSecond' : 'functionReadyActiveGbSecond',
      active,
      onDemand ? free.gbSeconds : 0,
    ),
    line(
      'Function app',
      'GB-seconds always ready',
      'functionReadyGbSecond',
      ready * instanceGb * secondsPerMonth,
    ),
  ];
  const storedGb = (keptMonths * sessions * commands * measured.command.storedBytes) / gigabyte;
  const { autoscaleUnits } = workload;
  const store =
    autoscaleUnits === null
      ? [line('Cosmos DB', 'request units', 'storeRequestUnit', usage.requestUnits)]
      : [
          line(
            'Cosmos DB',
            'hours of 100 units per second',
            'storeHundredUnitsHour',
            hoursPerMonth * autoscaledHundreds(usage.requestUnits, autoscaleUnits),
          ),
          line('Cosmos DB', 'GB of 30-day backup', 'storeBackupGbMonth', storedGb),
        ];
  const collected = sessions * workload.collectedBytes;
  const writesPerSession =
    Math.ceil(workload.collectedBytes / blockBytes) + Math.sign(workload.collectedBytes);
  return [
    ...app,
    ...store,
    line('Cosmos DB', 'GB of events', 'storeGbMonth', storedGb),
    line(
      'Service Bus',
      'namespaces',
      'namespaceMonth',
      Math.max(1, Math.ceil(devices / devicesPerNamespace)),
    ),
    line(
      'Service Bus',
      'operations',
      'busOperation',
      usage.messages * operationsPerMessage,
      free.busOperations,
    ),
    line('Service Bus', 'connections', 'busConnectionMonth', devices, free.connections),
    line('Blob Storage', 'GB of files', 'blobGbMonth', (keptMonths * collected) / gigabyte),
    line('Blob Storage', 'writes', 'blobWrite', sessions * writesPerSession),
    line('Key Vault', 'signatures', 'keySignature', sessions * (commands + signaturesPerSession)),
    line('Durable Task Scheduler', 'actions', 'durableAction', usage.durableActions),
    line('Logs', 'GB taken in', 'logGb', (usage.executions * logBytesPerExecution) / gigabyte, free.logGb),
  ].filter(({ used }) => used > 0);
};

export const sumOf = (lines: readonly Line[]): number =>
  lines.reduce((total, { cost }) => total + (cost ?? 0), 0);

/** What one more session costs when nothing is free any more: the difference between many and twice as many. */
export const costOfSession = (
  workload: Workload,
  measured: MeasuredOperations,
  prices: Prices,
): readonly Line[] => {
  const many = 1_000_000;
  const serverless = { ...workload, autoscaleUnits: null };
  const at = (sessions: number) => monthlyCost({ ...serverless, sessions }, measured, prices);
  const base = at(many);
  return at(many * 2)
    .map((line, index) => {
      const before = base[index];
      return {
        ...line,
        used: (line.used - (before?.used ?? 0)) / many,
        billed: (line.billed - (before?.billed ?? 0)) / many,
        cost: line.cost === null ? null : (line.cost - (before?.cost ?? 0)) / many,
      };
    })
    .filter(({ used }) => used > 0);
};

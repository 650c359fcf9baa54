import type { Cors } from './cors.ts';

/** Configuration of one running host. All paths absolute or relative to the working directory. */
export interface HostConfig {
  /** Folder with `package.json` (whose `main` names the built app) and `host.json`. */
  appRoot: string;
  /** Folder for durable and timer state; made when missing. */
  dataDir: string;
  /** Number of app processes, at least 1. */
  appProcesses: number;
  http: {
    /** 0 takes any free port. */
    port: number;
    tls?: { certFile: string; keyFile: string };
  };
  /** App settings: become the environment of the app processes and feed `%name%` and connections. */
  settings: Record<string, string>;
  /** Keys are random when not given; `readyLine` and the admin API never show them. */
  masterKey?: string;
  functionKey?: string;
  systemKey?: string;
  limits?: HostLimits;
  /** Which pages of other origins a browser lets call the app. None unless given. */
  cors?: Cors;
  /** Overrides the level of host.json. */
  minimumLogLevel?: string;
  /** Whether every invocation that succeeds is logged; those that fail always are. */
  logInvocations?: boolean;
  /** Faults to provoke on purpose, for tests. */
  faults?: {
    /** 0 to 1: how often an activity is run a second time, as at-least-once delivery allows. */
    repeatActivity?: number;
    /**
     * How far the wall clock of each app process is ahead of this machine's (negative: behind), the first process first.
     * A process keeps its skew over restarts.
     */
    clockSkewSeconds?: readonly number[];
  };
}

export interface HostLimits {
  /** Time to the first byte of a response, and between bytes afterwards. Default 230, as Azure's load balancer. */
  httpTimeoutSeconds?: number;
  /** Overrides FUNCTIONS_REQUEST_BODY_SIZE_LIMIT (bytes, default 104,857,600). */
  requestBodyBytes?: number;
  /** Overrides `functionTimeout` of host.json. */
  functionTimeoutSeconds?: number;
  /** Longest durable timer that is not split. Default 6 days. */
  maximumShortTimerSeconds?: number;
  /** Length of one part of a split durable timer. Default 3 days. */
  longTimerIntervalSeconds?: number;
}

import type { Binding, InvocationResult, RegisteredFunction } from '../protocol.ts';

/** Sends what functions put into their output bindings. */
export interface Outputs {
  /** @throws {FunctionFailed} when something cannot be sent: the invocation has failed then, as on Azure. */
  deliver(fn: RegisteredFunction, result: InvocationResult): Promise<void>;
  close(): Promise<void>;
}

export const isServiceBusOutput = ({ type, direction }: Binding): boolean =>
  direction === 'out' && type.toLowerCase() === 'servicebus';

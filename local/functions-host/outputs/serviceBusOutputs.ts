import type { ServiceBusClient, ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import { FunctionFailed } from '../invocationErrors.ts';
import { describe } from '../log.ts';
import type { Binding, InvocationResult, RegisteredFunction, TypedData } from '../protocol.ts';
import { connectServiceBus } from '../serviceBusConnection.ts';
import type { Settings } from '../settings.ts';
import { expandSettings } from '../settings.ts';
import type { Outputs } from './outputs.ts';
import { isServiceBusOutput } from './outputs.ts';

/** Output bindings to queues and topics: one message per element of an array, one for anything else. */
export class ServiceBusOutputs implements Outputs {
  readonly #clients = new Map<string, ServiceBusClient>();
  readonly #senders = new Map<RegisteredFunction, { binding: string; sender: ServiceBusSender }[]>();

  constructor(functions: readonly RegisteredFunction[], settings: Settings) {
    for (const fn of functions) {
      const outputs = Object.values(fn.bindings).filter(isServiceBusOutput);
      const senders = outputs.map((output) => ({
        binding: output.name,
        sender: this.#sender(output, settings, `Function '${fn.name}'`),
      }));
      if (senders.length > 0) this.#senders.set(fn, senders);
    }
  }

  #sender(output: Binding, settings: Settings, where: string): ServiceBusSender {
    const target = expandSettings(String(output.queueName ?? output.topicName ?? ''), settings, where);
    if (target === '')
      throw new Error(`${where}: a Service Bus output names neither queueName nor topicName.`);
    const connection = String(output.connection);
    const client = this.#clients.get(connection) ?? connectServiceBus(output, settings, where);
    this.#clients.set(connection, client);
    return client.createSender(target);
  }

  async deliver(fn: RegisteredFunction, { returnValue, outputData }: InvocationResult): Promise<void> {
    for (const { binding, sender } of this.#senders.get(fn) ?? []) {
      const value =
        binding === '$return' ? returnValue : outputData?.find(({ name }) => name === binding)?.data;
      try {
        for (const message of messagesOf(value)) await sender.sendMessages(message);
      } catch (error) {
        throw new FunctionFailed(
          `Its output to '${sender.entityPath}' cannot be sent: ${describe(error)}`,
          '',
        );
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }
}

function messagesOf(value: TypedData | null | undefined): ServiceBusMessage[] {
  if (value?.bytes !== undefined) {
    return [{ body: Buffer.from(value.bytes), contentType: 'application/octet-stream' }];
  }
  if (value?.json !== undefined) {
    const content: unknown = JSON.parse(value.json);
    if (content === null) return [];
    if (!Array.isArray(content)) return [textMessage(value.json)];
    return content
      .filter((element) => element !== null)
      .map((element) => textMessage(typeof element === 'string' ? element : JSON.stringify(element)));
  }
  const text = value?.string ?? value?.int ?? value?.double;
  return text === undefined ? [] : [textMessage(String(text))];
}

/** As bytes: given a string, the SDK would put quotes around it. */
const textMessage = (text: string): ServiceBusMessage => ({
  body: Buffer.from(text),
  contentType: 'text/plain',
});

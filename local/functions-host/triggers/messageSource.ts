import type {
  ServiceBusClient,
  ServiceBusReceiver,
  ServiceBusReceiverOptions,
  ServiceBusSessionReceiver,
  ServiceBusSessionReceiverOptions,
} from '@azure/service-bus';
import type { RegisteredFunction } from '../protocol.ts';
import type { Settings } from '../settings.ts';
import { expandSettings } from '../settings.ts';

/** Where the messages of a function come from: a queue, or a topic's subscription. */
export interface MessageSource {
  /** For people. */
  name: string;
  receiver(client: ServiceBusClient, options: ServiceBusReceiverOptions): ServiceBusReceiver;
  nextSession(
    client: ServiceBusClient,
    options: ServiceBusSessionReceiverOptions,
  ): Promise<ServiceBusSessionReceiver>;
}

/** @throws when the trigger names neither, or a setting in a name is missing. */
export function messageSource({ name, trigger }: RegisteredFunction, settings: Settings): MessageSource {
  const read = (key: 'queueName' | 'topicName' | 'subscriptionName') => {
    const value = expandSettings(String(trigger[key] ?? ''), settings, `Function '${name}', ${key}`);
    if (value === '') throw new Error(`Function '${name}': ${key} is missing.`);
    return value;
  };
  if (trigger.topicName === undefined) {
    const queue = read('queueName');
    return {
      name: `queue '${queue}'`,
      receiver: (client, options) => client.createReceiver(queue, options),
      nextSession: (client, options) => client.acceptNextSession(queue, options),
    };
  }
  const topic = read('topicName');
  const subscription = read('subscriptionName');
  return {
    name: `subscription '${subscription}' of topic '${topic}'`,
    receiver: (client, options) => client.createReceiver(topic, subscription, options),
    nextSession: (client, options) => client.acceptNextSession(topic, subscription, options),
  };
}

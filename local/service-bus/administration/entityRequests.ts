import { entityNotFound, invalidArgument, notAllowed, notImplemented } from '../brokerError.ts';
import type { Namespace } from '../engine/namespace.ts';
import type { Queue } from '../engine/queue.ts';
import type { Rules } from '../engine/rules.ts';
import { type AtomEntry, describeEntry, describeFeed, isoTime } from './atom.ts';
import { describeEntity, kindOf, readEntityDescription } from './entityDescription.ts';
import { describeRule, readDefaultRule, readRuleDescription } from './ruleDescription.ts';
import { element } from './xml.ts';

export interface EntityRequest {
  readonly method: string;
  readonly url: URL;
  /** Decoded, without slashes at the ends. */
  readonly path: string;
  /** `If-Match: *`: what is put must be there already. */
  readonly isUpdate: boolean;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

const belowTopic = /^(.+?)\/subscriptions(?:\/([^/]+)(?:\/(rules)(?:\/([^/]+))?)?)?$/i;
const nothing: Answer = { status: 200, body: '' };

/** Performs one request about queues, topics, subscriptions or rules. Throws BrokerError. */
export function performEntityRequest(namespace: Namespace, request: EntityRequest): Answer {
  const { path, url } = request;
  const list = (entities: readonly Queue[]) =>
    readOnly(request, () =>
      describeFeed(
        url,
        entities.map((entity) => describeEntity(url.host, entity)),
      ),
    );
  switch (path.toLowerCase()) {
    case '$namespaceinfo':
      return readOnly(request, () => describeEntry(url.host, describeNamespace(namespace)));
    case '$resources/queues':
      return list(namespace.list('queue'));
    case '$resources/topics':
      return list(namespace.list('topic'));
  }
  const [, topic, subscription, rules, rule] = belowTopic.exec(path) ?? [];
  if (topic !== undefined) {
    if (subscription === undefined) return list(namespace.subscriptionsOf(topic));
    if (rules !== undefined) {
      const owner = namespace.get(`${topic}/subscriptions/${subscription}`, 'subscription');
      return rulesRequest(owner, rule, request);
    }
  }
  if (path === '' || path.startsWith('$')) throw notImplemented(`The request ${request.method} /${path}`);
  return entityRequest(namespace, request, topic, subscription);
}

function entityRequest(
  namespace: Namespace,
  { method, path, url, isUpdate, body }: EntityRequest,
  topic: string | undefined,
  subscription: string | undefined,
): Answer {
  const described = (status: number, entity: Queue): Answer => ({
    status,
    body: describeEntry(url.host, describeEntity(url.host, entity)),
  });
  const existing = (): Queue => {
    const entity = namespace.find(path);
    if (!entity || entity.isDeadLetter) throw entityNotFound(path);
    return entity;
  };
  switch (method) {
    case 'GET':
      return described(200, existing());
    case 'DELETE':
      namespace.remove(path);
      return nothing;
    case 'PUT': {
      const kind = kindOf(body);
      if (isUpdate) {
        const { settings, identity } = existing();
        if (identity.kind !== kind) throw notAllowed(`'${path}' is a ${identity.kind} and no ${kind}.`);
        return described(200, namespace.update(path, readEntityDescription(body, settings)));
      }
      const settings = readEntityDescription(body);
      if (kind !== 'subscription') return described(201, namespace.create(path, settings, kind));
      if (topic === undefined || subscription === undefined) {
        throw invalidArgument(`'${path}' is not the path of a subscription.`);
      }
      return described(
        201,
        namespace.createSubscription(topic, subscription, settings, readDefaultRule(body)),
      );
    }
    default:
      throw notImplemented(`The method ${method}`);
  }
}

function rulesRequest(owner: Queue, name: string | undefined, request: EntityRequest): Answer {
  const { method, url, body, isUpdate } = request;
  const rules = owner.rules as Rules;
  const { path } = owner.identity;
  if (name === undefined) {
    return readOnly(request, () =>
      describeFeed(
        url,
        rules.list().map((rule) => describeRule(path, rule)),
      ),
    );
  }
  switch (method) {
    case 'GET':
      return { status: 200, body: describeEntry(url.host, describeRule(path, rules.get(name))) };
    case 'DELETE':
      rules.remove(name);
      return nothing;
    case 'PUT': {
      const description = readRuleDescription(body, name);
      const rule = isUpdate ? rules.replace(description) : rules.add(description);
      return { status: isUpdate ? 200 : 201, body: describeEntry(url.host, describeRule(path, rule)) };
    }
    default:
      throw notImplemented(`The method ${method}`);
  }
}

function readOnly({ method, path }: EntityRequest, describe: () => string): Answer {
  if (method !== 'GET') throw notImplemented(`The request ${method} /${path}`);
  return { status: 200, body: describe() };
}

function describeNamespace({ name, createdAt }: Namespace): AtomEntry {
  return {
    path: '$namespaceinfo',
    createdAt,
    updatedAt: createdAt,
    root: 'NamespaceInfo',
    content:
      element('Alias', '') +
      element('CreatedTime', isoTime(createdAt)) +
      element('MessagingSKU', 'Standard') +
      element('ModifiedTime', isoTime(createdAt)) +
      element('Name', name) +
      element('NamespaceType', 'Messaging'),
  };
}

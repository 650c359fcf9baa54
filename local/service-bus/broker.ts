import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createAdministration } from './administration/administration.ts';
import { AmqpEndpoint } from './amqp/amqpEndpoint.ts';
import { type BrokerConfig, checkConfig, type NamespaceConfig, readTls } from './config.ts';
import { Deadlines } from './engine/deadlines.ts';
import { Namespace } from './engine/namespace.ts';
import { Faults } from './faults.ts';
import { listenForNamespace, type NamespaceListener } from './namespaceListener.ts';
import { Store } from './store.ts';
import { createEntraVerifier, type VerifyEntraToken } from './tokens/entra.ts';
import { Gatekeeper } from './tokens/gatekeeper.ts';

export interface RunningBroker {
  /** Name of each namespace to its `localhost:PORT`, which is what clients take as fully qualified namespace. */
  readonly namespaces: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/**
 * Starts every namespace of the configuration on one store. Throws an Error that says what to change when the
 * configuration does not fit, a port is taken or the data is in use by another broker.
 */
export async function startBroker(config: BrokerConfig): Promise<RunningBroker> {
  checkConfig(config);
  const tls = await readTls(config.tls);
  const store = await openStore(config);
  const deadlines = new Deadlines();
  const verifyEntra = config.entra ? createEntraVerifier(config.entra) : undefined;
  const nextQueueId = queueIds(store);
  const listeners: NamespaceListener[] = [];
  const close = async () => {
    deadlines.stop();
    await Promise.all(listeners.map((listener) => listener.close()));
    store.close();
  };
  try {
    const namespaces: Record<string, string> = {};
    for (const namespaceConfig of config.namespaces) {
      const namespace = new Namespace(
        { store, deadlines },
        namespaceConfig.name,
        namespaceConfig.rules,
        nextQueueId,
      );
      namespace.declare(namespaceConfig.queues ?? []);
      const listener = await listenForNamespace(namespaceConfig.port, tls);
      listeners.push(listener);
      serve(listener, namespace, store, deadlines, verifyEntra);
      namespaces[namespaceConfig.name] = `localhost:${listener.port}`;
    }
    await new Promise<void>((resolve) => store.afterCommit(resolve));
    return { namespaces, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function serve(
  listener: NamespaceListener,
  namespace: Namespace,
  store: Store,
  deadlines: Deadlines,
  verifyEntra: VerifyEntraToken | undefined,
): void {
  const { port } = listener;
  const gatekeeper = new Gatekeeper(
    {
      hosts: new Set([`localhost:${port}`, `127.0.0.1:${port}`]),
      rulesAt: (path: string): NamespaceConfig['rules'] => namespace.rulesAt(path),
    },
    verifyEntra,
  );
  const faults = new Faults();
  listener.serve(
    new AmqpEndpoint({ namespace, store, deadlines, gatekeeper, faults }),
    createAdministration({ namespace, store, gatekeeper, faults }),
  );
}

async function openStore(config: BrokerConfig): Promise<Store> {
  await mkdir(config.dataDir, { recursive: true });
  const file = join(config.dataDir, 'service-bus.db');
  try {
    return new Store(file, config.synchronous ?? 'FULL');
  } catch (error) {
    throw new Error(
      `The broker cannot open ${file} (${(error as Error).message}). If another broker uses this folder, stop it ` +
        'or choose another dataDir.',
      { cause: error },
    );
  }
}

/** Row ids of queues, never given twice, so that a new queue cannot inherit rows of a deleted one. */
function queueIds(store: Store): () => number {
  const [row] = store.rows("SELECT seq FROM sqlite_sequence WHERE name='queue'");
  let last = Number(row?.seq ?? 0);
  return () => {
    last += 1;
    return last;
  };
}

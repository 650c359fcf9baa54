/** One thing that is broken on purpose, and the smallest test that has to notice it. */
export interface Mutation {
  readonly breaks: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly text: string;
  readonly becomes: string;
  readonly test: string;
}

/** `npm run mutate` makes each of these changes in a copy of the tree and demands that its test fails. */
export const mutations: readonly Mutation[] = [
  {
    breaks: 'a limit: open sessions of a tenant',
    file: 'domain/slots/index.ts',
    text: 'holders.length >= limits.openSessionsPerTenant',
    becomes: 'holders.length > limits.openSessionsPerTenant',
    test: 'test/unit/slots.spec.ts',
  },
  {
    breaks: 'a limit: open sessions of a user',
    file: 'domain/slots/index.ts',
    text: 'own.length >= limits.openSessionsPerUser',
    becomes: 'own.length > limits.openSessionsPerUser',
    test: 'test/unit/slots.spec.ts',
  },
  {
    breaks: 'a limit: one session on a device',
    file: 'domain/slots/index.ts',
    text: 'onDevice.length >= fixedLimits.sessionsPerDevice',
    becomes: 'onDevice.length > fixedLimits.sessionsPerDevice',
    test: 'test/unit/slots.spec.ts',
  },
  {
    breaks: 'a limit: a second command in the foreground',
    file: 'domain/session/decide.ts',
    text: 'if (!command.background) refuseSecondForeground(state);',
    becomes: '',
    test: 'test/unit/session.spec.ts',
  },
  {
    breaks: 'a bound of the limits that a tenant may set',
    file: 'domain/limits.ts',
    text: 'Math.min(limitBounds[name].ceiling, Math.max(limitBounds[name].floor, Math.trunc(wanted)))',
    becomes: 'Math.trunc(wanted)',
    test: 'test/unit/settings.spec.ts',
  },
  {
    breaks: 'the hash: an event is not compared with its own',
    file: 'evidence/hashChain.ts',
    text: 'if (hashOf(unsealed) !== hash)',
    becomes: 'if (hash === "")',
    test: 'test/unit/evidence.spec.ts',
  },
  {
    breaks: 'the hash: an event does not name the one before it',
    file: 'evidence/hashChain.ts',
    text: 'if (envelope.previousHash !== previousHash)',
    becomes: 'if (envelope.previousHash === "")',
    test: 'test/unit/evidence.spec.ts',
  },
  {
    breaks: 'the hash: versions are not counted',
    file: 'evidence/hashChain.ts',
    text: 'envelope.version !== version || envelope.id !== eventIdOf(version)',
    becomes: 'envelope.version < 1',
    test: 'test/unit/evidence.spec.ts',
  },
  {
    breaks: 'a signature check: messages of devices',
    file: 'evidence/deviceSignature.ts',
    text: "return verify(null, Buffer.from(signedFormOf(message)), key, Buffer.from(message.signature, 'base64url'));",
    becomes: 'return key !== undefined;',
    test: 'test/unit/evidence.spec.ts',
  },
  {
    breaks: 'a signature check: the body is not part of what a device signs',
    file: 'evidence/deviceSignature.ts',
    text: 'signature: _, ...message }: UpwardMessage): string => canonicalForm(message)',
    becomes: 'signature: _, body: __, ...message }: UpwardMessage): string => canonicalForm(message)',
    test: 'test/unit/evidence.spec.ts',
  },
  {
    breaks: 'a signature check: a new key that no trusted key vouches for',
    file: 'evidence/commandSignature.ts',
    text: 'await verifyKeySet(next, current.keys);',
    becomes: '',
    test: 'agent/test/commandTrust.spec.ts',
  },
  {
    breaks: 'the journal write: a command is known by its id',
    file: 'agent/journal/journal.ts',
    text: "'INSERT OR IGNORE INTO commands (",
    becomes: "'INSERT OR REPLACE INTO commands (",
    test: 'agent/test/journal.spec.ts',
  },
  {
    breaks: 'the journal write: a state and its message stand or fall together',
    file: 'agent/journal/journal.ts',
    text: "this.#database.exec('ROLLBACK');",
    becomes: "this.#database.exec('COMMIT');",
    test: 'agent/test/journal.spec.ts',
  },
  {
    breaks: 'the journal write: an end is said once',
    file: 'agent/journal/journal.ts',
    text: "WHERE commandId = ? AND state <> 'ended'",
    becomes: 'WHERE commandId = ?',
    test: 'agent/test/journal.spec.ts',
  },
  {
    breaks: 'a right: basic responders give advanced commands',
    file: 'domain/catalogue/admission.ts',
    text: "rights.includes('Advanced') || (level === 'basic' && rights.includes('Basic'))",
    becomes: "rights.includes('Advanced') || rights.includes('Basic')",
    test: 'test/unit/catalogue/admission.spec.ts',
  },
  {
    breaks: 'a right: it is not asked for at all',
    file: 'domain/catalogue/admission.ts',
    text: 'if (!hasRight(level, context.rights))',
    becomes: 'if (context.rights === undefined)',
    test: 'test/unit/catalogue/admission.spec.ts',
  },
  {
    breaks: 'an idempotency check: the same session is requested again',
    file: 'domain/session/decide.ts',
    text: 'if (state.requestHash === request.requestHash) return [];',
    becomes: '',
    test: 'test/unit/session.spec.ts',
  },
  {
    breaks: 'an idempotency check: the key of a command is used for another one',
    file: 'domain/session/decide.ts',
    text: 'if (isSameRequest(state, command.commandId, command.requestHash)) return true;',
    becomes: 'return true;',
    test: 'test/unit/session.spec.ts',
  },
  {
    breaks: 'an idempotency check: a device message comes again',
    file: 'domain/session/applyMessage.ts',
    text: "case 'applied-before':\n      return [];",
    becomes: "case 'applied-before':",
    test: 'test/unit/session.spec.ts',
  },
  {
    breaks: 'an idempotency check: a number is used for two messages',
    file: 'domain/session/appliedMessages.ts',
    text: "known === shortHash(hash) ? { is: 'applied-before' } : { is: 'reused', firstHash: known }",
    becomes: "{ is: 'applied-before' }",
    test: 'test/unit/session.spec.ts',
  },
  {
    breaks: 'an idempotency check: a slot is taken again for the same session',
    file: 'domain/slots/index.ts',
    text: 'if (state.holders[sessionId] !== undefined) return [];',
    becomes: '',
    test: 'test/unit/slots.spec.ts',
  },
];

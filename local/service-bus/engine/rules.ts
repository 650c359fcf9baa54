import { deserialize, serialize } from 'node:v8';
import { BrokerError, entityNotFound } from '../brokerError.ts';
import type { FilteredMessage, PropertyChanges } from '../filters/message.ts';
import { compileRule, type Rule, type RuleDescription } from '../filters/rule.ts';
import type { Store } from '../store.ts';

export interface StoredRule extends Rule {
  readonly createdAt: number;
}

/** The rules of one subscription, which decide what it gets of its topic's messages. */
export class Rules {
  readonly #queueId: number;
  readonly #address: string;
  readonly #store: Store;
  readonly #rules = new Map<string, StoredRule>();

  constructor(queueId: number, address: string, store: Store) {
    this.#queueId = queueId;
    this.#address = address;
    this.#store = store;
  }

  /** Throws BrokerError when the name is taken or the rule cannot be understood. */
  add(description: RuleDescription): StoredRule {
    const key = description.name.toLowerCase();
    if (this.#rules.has(key)) {
      throw new BrokerError(
        'com.microsoft:entity-already-exists',
        `The rule '${description.name}' already exists.`,
      );
    }
    return this.#put(description, Date.now());
  }

  /** Throws BrokerError when the rule is missing or cannot be understood. */
  replace(description: RuleDescription): StoredRule {
    return this.#put(description, this.get(description.name).createdAt);
  }

  /** Throws BrokerError when the rule is missing. */
  remove(name: string): void {
    const rule = this.get(name);
    this.#rules.delete(name.toLowerCase());
    this.#store.change('DELETE FROM rule WHERE queue=? AND name=?', this.#queueId, rule.description.name);
  }

  /** Throws BrokerError when the rule is missing. */
  get(name: string): StoredRule {
    const rule = this.#rules.get(name.toLowerCase());
    if (!rule) throw entityNotFound(`${this.#address}/Rules/${name}`);
    return rule;
  }

  list(): StoredRule[] {
    return [...this.#rules.values()].sort((a, b) => (a.description.name < b.description.name ? -1 : 1));
  }

  restore(description: Uint8Array, createdAt: number): void {
    const rule = deserialize(description) as RuleDescription;
    this.#rules.set(rule.name.toLowerCase(), { ...compileRule(rule), createdAt });
  }

  /**
   * The copies that the subscription takes of a message, each with what is changed in it: one for all rules without an
   * action together, one for each rule with an action. Throws EvaluationError.
   */
  copiesOf(message: FilteredMessage): (PropertyChanges | undefined)[] {
    const matching = [...this.#rules.values()].filter((rule) => rule.matches(message));
    const changed = matching.flatMap(({ changes }) => (changes ? [changes(message)] : []));
    return changed.length < matching.length ? [undefined, ...changed] : changed;
  }

  #put(description: RuleDescription, createdAt: number): StoredRule {
    const rule = { ...compileRule(description), createdAt };
    this.#rules.set(description.name.toLowerCase(), rule);
    this.#store.change(
      'INSERT OR REPLACE INTO rule VALUES(?,?,?,?)',
      this.#queueId,
      description.name,
      createdAt,
      serialize(description),
    );
    return rule;
  }
}

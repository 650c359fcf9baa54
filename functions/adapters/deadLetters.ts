import type { Container } from '@azure/cosmos';

const largestKept = 64 * 1024;

export interface DeadLetter {
  readonly kind: 'device-message' | 'view';
  /** Stable reason. */
  readonly code: string;
  readonly message: string;
  readonly tenantId: string | null;
  /** What could not be handled, as it came. */
  readonly content: unknown;
  readonly at: string;
}

/** What could not be handled and must not vanish: kept for people, never in the way of what comes after it. */
export class DeadLetters {
  readonly #container: Container;

  constructor(container: Container) {
    this.#container = container;
  }

  /** `id` comes from what is recorded, so that recording it again changes nothing. */
  async record(id: string, letter: DeadLetter): Promise<void> {
    const content = JSON.stringify(letter.content) ?? 'null';
    await this.#container.items.upsert({
      id,
      pk: letter.kind,
      ...letter,
      content: content.length > largestKept ? content.slice(0, largestKept) : content,
    });
  }
}

import type { ClientConnection } from './clientConnection.ts';
import { type DecodedMessage, types } from './rhea.ts';

export interface Reply {
  readonly status: number;
  readonly description: string;
  readonly condition?: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** Answers a request on the link that its `reply-to` names. A client that has left gets nothing. */
export function reply(client: ClientConnection, request: DecodedMessage, answer: Reply): void {
  const link = client.replyLink(String(request.reply_to));
  if (!link?.is_open() || link.session.outgoing.available() === 0) return;
  const status = types.Int(answer.status);
  const condition = answer.condition === undefined ? undefined : types.wrap_symbol(answer.condition);
  link.send({
    correlation_id: request.message_id,
    // $cbs and $management are read with different spellings.
    application_properties: {
      'status-code': status,
      statusCode: status,
      'status-description': answer.description,
      statusDescription: answer.description,
      ...(condition ? { 'error-condition': condition, errorCondition: condition } : {}),
    },
    body: answer.body ?? {},
  });
}

import { issueCommandRequest } from '../../contracts/http.ts';
import {
  admitCommand,
  type BoundCommand,
  catalogue,
  findCommand,
  type Platform,
  parseCommand,
  splitArguments,
  timeLimitOf,
} from '../../domain/catalogue/index.ts';
import { DomainError } from '../../domain/domainError.ts';
import type { Head } from '../../domain/eventStore.ts';
import {
  type IssuedCommand,
  isKnownCommand,
  type SessionCommand,
  type SessionState,
} from '../../domain/session/index.ts';
import { canonicalForm, sha256 } from '../../evidence/canonical.ts';
import type { Services } from '../services.ts';
import { broughtFileOf } from '../streams/broughtFile.ts';
import { resendCommand, sendExecute, signCommand } from '../streams/delivery.ts';
import { onSession } from '../streams/streams.ts';
import { outputParts, outputStart } from './commandOutput.ts';
import { findSession } from './findSession.ts';
import { isLibraryDeletion, libraryOutcomeOf } from './libraryCommand.ts';
import {
  bodyOf,
  idempotencyKeyOf,
  json,
  numberFromQuery,
  type Route,
  type Signed,
  signedIn,
} from './route.ts';
import { answerOf, isAnsweredHere, type ServerCommandContext } from './serverCommands.ts';
import { commandFromEvents, commandResource, newCommandResource } from './sessionResource.ts';
import { storedAnswer } from './storedAnswer.ts';
import { nextHead } from './waiting.ts';

const longestWait = 60;

/**
 * Issues a command: parsed, allowed, signed, appended, published, in this order. Once it is answered with 202 it ends in
 * exactly one state, whatever dies. The Idempotency-Key is its id.
 */
export const issueCommand = (services: Services): Route => ({
  name: 'issueCommand',
  method: 'POST',
  path: 'sessions/{sessionId}/commands',
  handle: signedIn(services.tokens, ['Basic'], async (signed) => {
    const { request, caller } = signed;
    const { tenantId } = caller;
    const commandId = idempotencyKeyOf(request);
    const { line } = await bodyOf(request, issueCommandRequest);
    const wait = numberFromQuery(request, 'wait', { least: 0, most: longestWait, otherwise: 0 });
    const { sessionId, head: found } = await findSession(services, signed);
    const bound = parsed(line);
    const issued = await prepare(services, signed, found.state, commandId, line, bound);
    const asked = bound.name === 'status' ? await statusOf(services, tenantId, sessionId, bound) : undefined;
    const { head, events } = await onSession(
      services,
      tenantId,
      sessionId,
      signed.metadata(commandId),
      async (now, state): Promise<SessionCommand> => {
        if (issued.signed !== null) return { type: 'IssueCommand', command: issued, now };
        // What was answered before, or is refused, stores nothing and does nothing.
        const isOpenTo = state.status === 'connected' && !isKnownCommand(state, commandId);
        const library =
          bound.name === 'library' && isOpenTo
            ? await libraryOutcomeOf(services, signed, commandId, bound)
            : undefined;
        const answer = answerOf({ command: bound, state, rights: rightsOf(signed), asked, library });
        return {
          type: 'AnswerCommand',
          command: issued,
          answer: isOpenTo
            ? await storedAnswer(services, tenantId, sessionId, issued, answer)
            : { error: answer.error, output: null, file: null, foreground: null },
          now,
        };
      },
      found,
    );
    services.surroundings.passes('command-appended');
    const open = head.state.open[commandId];
    if (open !== undefined && open.startedAt === null && issued.signed !== null) {
      // What was issued before goes out as it was signed then: the request may be repeated because its first one got stuck here.
      const delivery =
        events.length > 0
          ? sendExecute(services, tenantId, head.state, { ...issued, ...open, signed: issued.signed })
          : resendCommand(services, tenantId, head.state, commandId);
      // Accepted is accepted: what cannot be sent now is sent by the supervisor.
      await delivery.catch((error: unknown) =>
        signed.context.warn(`command ${commandId}: its delivery is left to the supervisor: ${String(error)}`),
      );
      services.surroundings.passes('command-published');
    }
    if (wait > 0) await whenEnded(services, tenantId, sessionId, head, commandId, wait);
    const isNew = events.length > 0 && open !== undefined && wait === 0;
    return json(
      202,
      isNew
        ? newCommandResource(head.state, open)
        : await commandResource(services, tenantId, sessionId, commandId),
    );
  }),
});

const parsed = (line: string): BoundCommand => {
  const result = parseCommand(line, catalogue);
  if (result.ok) return result.command;
  const { ok: _, code, message, ...details } = result;
  throw new DomainError(code, message, details);
};

const rightsOf = ({ caller }: Signed): readonly ('Basic' | 'Advanced')[] => [
  ...(caller.rights.has('Basic') ? (['Basic'] as const) : []),
  ...(caller.rights.has('Advanced') ? (['Advanced'] as const) : []),
];

/** Checks that the command may run in this session and makes it ready; signs it when the device is to run it. */
const prepare = async (
  services: Services,
  signed: Signed,
  state: SessionState,
  commandId: string,
  line: string,
  bound: BoundCommand,
): Promise<IssuedCommand> => {
  const definition = findCommand(catalogue, bound.name);
  if (definition === undefined) throw new Error(`${bound.name} was parsed but is not in the catalogue.`);
  const onDevice = definition.runsOn === 'device';
  if (!onDevice && !isAnsweredHere(bound.name)) {
    throw new DomainError('NOT_SUPPORTED', `"${bound.name}" is not supported by this version.`);
  }
  if (state.status === 'connected') {
    const admitted = admitCommand(bound, {
      platform: state.platform as Platform,
      capabilities: state.capabilities,
      rights: rightsOf(signed),
    });
    if (!admitted.ok) throw new DomainError(admitted.code, admitted.message);
    if (isLibraryDeletion(bound) && !signed.caller.rights.has('Library.Manage')) {
      throw new DomainError(
        'RIGHT_MISSING',
        'Deleting a library file needs the role Library.Manage. Ask an administrator for it.',
      );
    }
  }
  const command = {
    commandId,
    line,
    name: bound.name,
    parameters: bound.parameters,
    flags: bound.flags,
    output: bound.output,
    redirect: bound.redirect ?? null,
    background: bound.background,
    timeLimit: timeLimitOf(definition, state.limits),
    requestHash: sha256(canonicalForm({ line })),
    by: signed.caller.actor.id,
  };
  if (!onDevice) return { ...command, signed: null };
  const { tenantId, actor } = signed.caller;
  if (bound.name === 'run') refuseParameters(bound);
  // What was issued before goes out as it was: its file may be gone from the library meanwhile.
  const libraryFile = isKnownCommand(state, commandId)
    ? undefined
    : await broughtFileOf(services, tenantId, bound);
  const jws = await signCommand(services, tenantId, state, { ...command, libraryFile, user: actor.name });
  if (libraryFile === undefined) return { ...command, signed: jws };
  const { name, size, sha256: hash } = libraryFile;
  return { ...command, libraryFile: { name, size, sha256: hash }, signed: jws };
};

/** Throws for parameters that the device could not split into words. */
const refuseParameters = ({ parameters }: BoundCommand): void => {
  const split = splitArguments(String(parameters['parameters'] ?? ''));
  if (!split.ok) throw new DomainError('PARAMETER_INVALID', split.message);
};

/** As much output as fits into the answer of `status`; all of it is to be read with `GET …/output`. */
const shownOutput = 64 * 1024;

const statusOf = async (
  services: Services,
  tenantId: string,
  sessionId: string,
  bound: BoundCommand,
): Promise<ServerCommandContext['asked']> => {
  const commandId = String(bound.parameters['command_id']).toLowerCase();
  const [command, parts] = await Promise.all([
    commandFromEvents(services, tenantId, sessionId, commandId),
    outputParts(services, tenantId, sessionId, commandId),
  ]);
  return command === undefined
    ? undefined
    : { ...command, output: await outputStart(services, parts, shownOutput) };
};

const whenEnded = async (
  services: Services,
  tenantId: string,
  sessionId: string,
  head: Head<SessionState>,
  commandId: string,
  wait: number,
): Promise<void> => {
  const until = services.surroundings.elapsed() + wait * 1000;
  let current = head;
  while (current.state.open[commandId] !== undefined) {
    const moved = await nextHead(services, tenantId, sessionId, current, until, { aborted: false });
    if (moved === undefined) return;
    current = moved;
  }
};

/** What to do about a refusal, or about a command that failed or was lost, by its stable code (docs/errors.md). */

const role = 'Ask an administrator for the role, then sign in again: lr login';
const wrongRequest =
  'This client and the server may be of different versions: update lr. If it stays, report it with the correlation id.';
const lineHelp = 'help shows the commands, and help COMMAND how one is written.';
const quotes = 'Put a value with spaces, &, > or quotes in quotes; double a quote that stands inside.';
const readAgain = 'Look at what is there: dir, or fileinfo for one file.';
const unknownOutcome = 'Look on the device what it did before you run it again.';

const refusals: Readonly<Record<string, string>> = {
  BODY_INVALID: wrongRequest,
  QUERY_INVALID: wrongRequest,
  IDEMPOTENCY_KEY_MISSING: wrongRequest,
  IDEMPOTENCY_MISMATCH: wrongRequest,
  INTERNAL: 'Try again. If it stays, report it with the correlation id.',
  NOT_SUPPORTED: 'It cannot be done on this server. See with "help" and "lr --help" what can.',

  LINE_EMPTY: lineHelp,
  LINE_TOO_LONG: 'Shorten the line, or split the work into several lines.',
  LINE_NOT_TEXT: 'Type the line by hand: a pasted character is not text.',
  QUOTE_UNCLOSED: quotes,
  QUOTE_MISPLACED: quotes,
  UNKNOWN_COMMAND: 'Type help for the commands of this device.',
  UNKNOWN_PARAMETER: lineHelp,
  UNKNOWN_FLAG: lineHelp,
  PARAMETER_MISSING: lineHelp,
  PARAMETER_INVALID: lineHelp,
  PARAMETER_TWICE: 'Give each parameter once.',
  TOO_MANY_PARAMETERS: quotes,
  OUTPUT_INVALID: 'Give -output json or -output table, for a command that has rows.',
  BACKGROUND_INVALID: 'Leave out the & at the end, or put a value that contains & in quotes.',
  REDIRECT_INVALID:
    'Write COMMAND > FILE, with nothing but & after it, or put a value that contains > in quotes.',
  NOT_ON_PLATFORM: 'Type help for the commands of this device.',
  NOT_SUPPORTED_BY_AGENT: 'Have the agent on the device updated. Type help for what it can do now.',

  UNAUTHENTICATED: 'Sign in: lr login',
  FORBIDDEN: role,
  RIGHT_MISSING: role,
  SCRIPT_UNSIGNED: 'Sign it (lr library sign) and add it again with its signature.',
  LIVE_RESPONSE_OFF: 'Have an administrator switch live response on. See the switches: lr settings',
  DEVICE_RETIRED: 'A retired device stays so. Enrol it again: lr enrolment-token',
  DEVICE_FOREIGN: 'Sign in to the tenant that the device belongs to: lr login --tenant',
  ENROLMENT_TOKEN_INVALID: 'Make a new token: lr enrolment-token',
  ENROLMENT_TOKEN_USES: 'Ask for fewer uses, or make several tokens.',
  ENROLMENT_TOKEN_LIMIT: 'Use the tokens there are, or wait until one is out of time.',
  PROOF_INVALID: 'Enrol the device again with its own key; its clock may be wrong, too.',
  LIMIT_OUT_OF_BOUNDS: 'Choose a value within the bounds. See the limits in force: lr settings',

  NOT_FOUND: 'Check the address of the server in the profile; update lr when it is right.',
  SESSION_UNKNOWN: 'See which sessions you may see: lr sessions',
  COMMAND_UNKNOWN: 'See what runs: jobs. All commands of a session: lr history',
  DEVICE_UNKNOWN: 'See which devices there are: lr devices',
  FILE_UNKNOWN: 'See which files a session collected: lr files',
  LIBRARY_FILE_UNKNOWN: 'See what the library has: lr library list',
  LIBRARY_FILE_EXISTS: 'Replace it with --overwrite, or choose another name.',
  LIBRARY_FULL: 'Delete a file that is not needed any more: lr library delete',
  LIBRARY_NAME_INVALID: 'Choose another name for it: lr library add FILE --name NAME',
  LIBRARY_DESCRIPTION_INVALID: 'Describe it in fewer words.',
  LIBRARY_FILE_TOO_LARGE: 'Have the limit raised ("lr settings"), or bring it in parts.',
  UPLOAD_UNKNOWN: 'Upload it again: lr library add',
  UPLOAD_CLOSED: 'Upload it again: lr library add',
  UPLOAD_MISSING: 'Upload it again: lr library add',
  CONTENT_MISMATCH: 'The file changed while it was sent, or was sent wrongly. Upload it again.',
  SIGNATURE_INVALID: 'Sign exactly this file under exactly this name: lr library sign',
  SIGNER_UNKNOWN: 'Have an administrator trust the public key of the signer, then upload it again.',
  SIGNER_KEY_INVALID: 'Give an Ed25519 or ECDSA P-256 public key as PEM.',
  SIGNER_LIMIT: 'Stop trusting a signer who signs no more.',
  TENANT_SESSION_LIMIT: 'Wait until a session ends ("lr sessions"), or have the limit raised.',
  USER_SESSION_LIMIT: 'Disconnect one of your sessions ("lr sessions").',
  DEVICE_SESSION_LIMIT: 'Wait until that session ends ("lr sessions"), or ask its holder to disconnect.',
  FOREGROUND_BUSY: 'Wait for it, cancel it, or end this line with & to run it in the background.',
  BACKGROUND_LIMIT: 'Wait for one of the background commands ("jobs") or cancel one.',
  SESSION_FULL: 'Disconnect and open a new session: lr connect',
  SESSION_NOT_CONNECTED: 'Wait until the device has answered, then give the line again.',
  SESSION_CONNECTED: 'The session is connected already: go on with it.',
  SESSION_ENDED: 'Open a new session: lr connect',
  SESSION_ABANDONED: 'Open a new session: lr connect',
  COMMAND_ENDED: 'It has ended already. See how: status',
  STORE_BUSY: 'Try again in a moment.',
};

const failures: Readonly<Record<string, string>> = {
  FILE_NOT_FOUND: readAgain,
  NOT_A_FILE: readAgain,
  NOT_A_DIRECTORY: readAgain,
  NAME_INVALID: 'Write findfile NAME DIRECTORY; * in the name stands for what you do not know.',
  NAME_TOO_LONG: 'Change into a directory above it (cd) and give a shorter path from there.',
  LINK_LOOP: 'Give the path of the file itself: dir -output json shows where links lead.',
  ACCESS_DENIED: 'The agent may not read it: another program holds or protects it.',
  FILE_TOO_LARGE: 'Have the limit raised ("lr settings"), or collect a part of it with a script.',
  FILE_CHANGED: 'The file is being written. Collect it again.',
  READ_ERROR: 'Collect it again; when it stays, the disk of the device may be failing.',
  UPLOAD_FAILED:
    "Give the line again. When it stays, the device may not reach the store: see the agent's log.",
  OUTPUT_NOT_STORED:
    "Give the line again. When it stays, the device may not reach the store: see the agent's log.",
  TICKET_MISSING: 'Give the line again.',
  FILE_EXISTS: 'Add -overwrite to replace it.',
  DISK_FULL: 'Make room on the disk of the device, then give the line again.',
  WRITE_ERROR: 'Look at the folder of the agent on the device: its disk may be read-only or failing.',
  DOWNLOAD_FAILED:
    "Give the line again. When it stays, the device may not reach the store: see the agent's log.",
  LIBRARY_FILE_GONE: 'See what the library has: library. Upload the file again.',
  HASH_MISMATCH:
    'Give the line again. When it stays, the file in the store or the device is not to be trusted.',
  SIGNATURE_INVALID: 'Sign the script again and upload it.',
  SCRIPT_UNSIGNED: 'Sign the script and upload it with its signature.',
  PARAMETERS_INVALID: 'Put each value with spaces in quotes of its own, inside the quotes of -parameters.',
  INTERPRETER_MISSING: 'Install it on the device, or write the script for sh.',
  INTERPRETER_REFUSED: 'Change the first line of the script and upload it again.',
  ENDED_BY_SIGNAL: `It crashed, or something on the device ended it. ${unknownOutcome}`,
  INIT_SYSTEM_UNKNOWN:
    'This device starts its services in a way that the agent does not know. List them with a script.',
  TOOL_MISSING: 'The system of the device lacks a program that the command needs. Have it installed there.',
  TOOL_FAILED: 'The system of the device gave the reason. Try again, or look at it there.',
  TOOL_TIMED_OUT: 'Try again when the device has less to do.',
  TOOL_OUTPUT_UNKNOWN: 'Have the agent on the device updated; report it when it is the newest.',
  TASK_NOT_FOUND: 'See the names of all tasks: scheduledtasks',
  REGISTRY_HIVE_UNKNOWN: 'Begin with the full name of a hive, such as HKEY_LOCAL_MACHINE.',
  REGISTRY_KEY_NOT_FOUND: 'See what is there: registry with the key above it.',
  REGISTRY_VALUE_NOT_FOUND: 'See the values of the key: registry with the key alone.',
  PROCESS_NOT_FOUND: 'It may have ended. See what runs: processes',
  PARAMETER_MISSING: lineHelp,
  NOT_SUPPORTED: 'Have the agent on the device updated. Type help for what it can do now.',
  SYSTEM_ERROR: 'The system of the device gave the reason. Try again, or look at it there.',
  COMMAND_FAULT: 'This is a fault of the agent. Report it with the line that you gave.',
  EXECUTOR_DIED: `It was ended from outside or ran out of memory. ${unknownOutcome}`,
  WORKER_DIED: `The agent lost the part that ran it. ${unknownOutcome}`,
  WORKER_FAILED: "The agent could not start the part that runs commands. See the agent's log.",
  AGENT_STOPPED: `The agent was stopped while it ran. ${unknownOutcome}`,
  NOT_STARTED: 'The device may be off or offline ("lr devices"). Give the line again once it answers.',
  NOT_IN_BACKGROUND: 'It runs in the foreground already.',
  DEVICE_DISK_FULL: 'Make room on the device, then give the line again.',
  NOT_STARTED_IN_TIME: 'Give the line again.',
  SILENT: unknownOutcome,
  AGENT_RESTARTED: unknownOutcome,
  SESSION_LOST: unknownOutcome,
  SESSION_STOPPED: 'Open a new session: lr connect',
  SESSION_SUPERSEDED: 'Another session has taken its place: lr sessions',
  STALE_EPOCH: 'Open a new session: lr connect',
  SESSION_ENDED: 'Open a new session: lr connect',
  // The answers of help and status fail with the codes of refusals.
  UNKNOWN_COMMAND: lineHelp,
  COMMAND_UNKNOWN: 'See what runs: jobs',
  LIBRARY_FILE_UNKNOWN: 'See what the library has: library',
};

/** Undefined for a code that this version does not know. */
export const nextAfterRefusal = (code: string): string | undefined => refusals[code];

/** For the code of a command's error, or the reason why it was lost. */
export const nextAfterFailure = (code: string): string | undefined => failures[code];

import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { CommandFailure, type DeviceCommand, failureFor, requiredPath } from './command.ts';

/** Changes the working directory of the session. `..` goes up by name, as in a shell, also behind a symbolic link. */
export const cd: DeviceCommand = {
  name: 'cd',
  async *run(context) {
    const directory = resolve(context.directory, requiredPath(context));
    try {
      if (!statSync(directory).isDirectory()) {
        throw new CommandFailure('NOT_A_DIRECTORY', `${directory} is not a directory.`);
      }
      accessSync(directory, constants.X_OK);
    } catch (error) {
      throw failureFor(error, directory);
    }
    yield { directory };
    return { directory };
  },
};

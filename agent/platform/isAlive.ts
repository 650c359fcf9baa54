/** Whether there is a process of this id; an ended one counts until its parent has heard of it. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

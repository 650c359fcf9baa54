/** The serialised .NET exception that failure events carry as `Details`. */
export const exceptionDetails = (message: string, stack: string): string =>
  JSON.stringify({
    $type: 'System.Exception, System.Private.CoreLib',
    ClassName: 'System.Exception',
    Message: message,
    StackTraceString: stack,
  });

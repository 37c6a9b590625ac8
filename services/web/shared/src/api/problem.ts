/** RFC 9457 problem details, as the backends answer every failure. */
export interface ProblemDetails {
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  fault?: string;
  param?: string;
  request_id?: string;
  retry_after?: number;
}

/** The error of every API call. `status` is 0 when no answer came at all. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly fault: string;
  /** The field of the request that is at fault, empty if none is. */
  readonly param: string;
  readonly requestId: string;
  /** Seconds. */
  readonly retryAfter: number | undefined;

  constructor(status: number, details: ProblemDetails) {
    super(details.detail || details.title || `The server answered ${status}.`);
    this.name = 'Problem';
    this.status = status;
    this.code = details.code ?? '';
    this.title = details.title ?? '';
    this.fault = details.fault ?? '';
    this.param = details.param ?? '';
    this.requestId = details.request_id ?? '';
    this.retryAfter = details.retry_after;
  }

  /** Somebody else has changed it since it was read. */
  get stale(): boolean {
    return this.status === 412;
  }

  /** A service is away, or the server cannot be reached: the same may work later. */
  get away(): boolean {
    return this.status === 0 || this.status === 502 || this.status === 503 || this.status === 504;
  }

  static unreachable(): Problem {
    return new Problem(0, {
      code: 'unreachable',
      title: 'No connection',
      detail: 'The server cannot be reached. Check the connection; nothing was changed.',
    });
  }

  static async of(response: Response): Promise<Problem> {
    const text = await response.text().catch(() => '');
    let details: ProblemDetails = {};
    try {
      const body: unknown = JSON.parse(text);
      if (body && typeof body === 'object') details = 'error' in body ? ofEntry(body.error) : body;
    } catch {
      details = { title: response.statusText };
    }
    const requestId = details.request_id ?? response.headers.get('x-request-id') ?? '';
    const retryAfter = details.retry_after ?? (Number(response.headers.get('retry-after')) || undefined);
    return new Problem(response.status, {
      ...details,
      request_id: requestId,
      ...(retryAfter === undefined ? {} : { retry_after: retryAfter }),
    });
  }
}

/** An entry answers in the form of the OpenAI API: {error: {message, code}}. */
export function ofEntry(error: unknown): ProblemDetails {
  const { message, code } = (error ?? {}) as { message?: unknown; code?: unknown };
  return {
    ...(typeof message === 'string' && { detail: message }),
    ...(typeof code === 'string' && { code }),
  };
}

/** What went wrong, in words for people. */
export function describe(error: unknown): string {
  if (error instanceof Problem && error.stale)
    return 'Somebody else has changed this since you opened it. Reload to see the change, then try again.';
  return error instanceof Error ? error.message : String(error);
}

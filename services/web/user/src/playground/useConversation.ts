import { api, describe } from '@llm-platform/shared';
import { useEffect, useRef, useState } from 'react';
import { EMPTY_ANSWER, requestOf, type Answer, type Image, type Settings, type Turn } from './chat';
import { events, withEvent } from './stream';

const PATH = '/api/playground/chat/completions';

/** A conversation with one model or several at once. */
export function useConversation() {
  const [turns, setTurns] = useState<Turn[]>([]);
  const call = useRef<AbortController | null>(null);
  useEffect(() => () => call.current?.abort(), []);

  const change = (id: number, column: number, next: (answer: Answer) => Answer) =>
    setTurns(current =>
      current.map(turn =>
        turn.id === id
          ? { ...turn, answers: turn.answers.map((one, at) => (at === column ? next(one) : one)) }
          : turn,
      ),
    );

  const send = (
    text: string,
    images: Image[],
    models: readonly string[],
    settings: Settings,
    secret: string,
  ) => {
    const turn: Turn = { id: Date.now(), text, images, answers: models.map(() => EMPTY_ANSWER) };
    const all = [...turns, turn];
    setTurns(all);
    call.current = new AbortController();
    const { signal } = call.current;
    models.forEach((model, column) => {
      const request = { ...requestOf(model, settings, all, column), stream_options: { include_usage: true } };
      void answer(request, secret, signal, next => change(turn.id, column, next));
    });
  };

  return {
    turns,
    running: turns.at(-1)?.answers.some(one => one.running) ?? false,
    send,
    stop: () => call.current?.abort(),
    clear: () => {
      call.current?.abort();
      setTurns([]);
    },
  };
}

/** Streams one answer into `change`; what came before a failure or a stop stays. */
async function answer(
  request: object,
  secret: string,
  signal: AbortSignal,
  change: (next: (answer: Answer) => Answer) => void,
): Promise<void> {
  const began = performance.now();
  const elapsed = () => Math.round(performance.now() - began);
  try {
    const response = await api.fetch('POST', PATH, {
      body: request,
      headers: { 'x-playground-key': secret },
      signal,
    });
    for await (const data of events(response.body!)) {
      change(one => ({ ...withEvent(one, data), firstTokenMs: one.firstTokenMs ?? elapsed() }));
    }
    change(one => ({ ...one, running: false, totalMs: elapsed() }));
  } catch (error) {
    const end = signal.aborted ? { stopped: true } : { error: describe(error) };
    change(one => ({ ...one, ...end, running: false, totalMs: elapsed() }));
  }
}

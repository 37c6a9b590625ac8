import { Button, Modal, Text } from '@mantine/core';
import { useCallback, useEffect, useRef, useState } from 'react';
import { api } from '../api/client';
import { Problem } from '../api/problem';
import type { Session } from '../api/types';
import { DONE_PATH, oidcUrl, onSignedIn } from './oidc';
import { begin, useSession } from './session';
import { SignInSteps } from './SignInSteps';

interface Waiting {
  resolve: () => void;
  reject: (reason: Problem) => void;
}

/** Above every other dialog: most forms are in one. */
const ABOVE = 500;

const LEFT = { code: 'unauthenticated', detail: 'Nobody is signed in. Nothing was changed.' };

/** Over whatever is open when a call finds that the session has ended: the page behind keeps what was typed. */
export function SignInDialog() {
  const session = useSession();
  const waiting = useRef<Waiting | null>(null);
  const [open, setOpen] = useState(false);

  useEffect(() => {
    api.signInAgain = () =>
      new Promise((resolve, reject) => {
        waiting.current = { resolve, reject };
        setOpen(true);
      });
    return () => {
      api.signInAgain = null;
    };
  }, []);

  const signedIn = useCallback(
    (next: Session) => {
      // Somebody else's page must not go on with what this one holds.
      if (next.user_id !== session.user_id) return window.location.assign('/');
      begin(next);
      setOpen(false);
      waiting.current?.resolve();
    },
    [session.user_id],
  );

  useEffect(() => {
    if (!open) return undefined;
    return onSignedIn(
      () => void api.json<Session>('GET', '/api/session', { anonymous: true }).then(signedIn),
    );
  }, [open, signedIn]);

  const leave = () => {
    setOpen(false);
    waiting.current?.reject(new Problem(401, LEFT));
  };

  return (
    <Modal
      opened={open}
      onClose={leave}
      title="Your session has ended"
      size="sm"
      zIndex={ABOVE}
      withCloseButton={false}
      closeOnClickOutside={false}
    >
      <Text c="dimmed" mb="lg">
        Sign in again to go on. Everything you have entered is still here.
      </Text>
      {open && (
        <SignInSteps
          name={session.name}
          onOidc={() => window.open(oidcUrl(DONE_PATH), 'sign-in', 'popup,width=520,height=720')}
          onSession={signedIn}
        />
      )}
      <Button variant="subtle" color="gray" fullWidth mt="sm" onClick={leave}>
        Not now
      </Button>
    </Modal>
  );
}

import { useEffect, useState } from 'react';

/** "You can try again in 2:05." */
export function Countdown({ seconds, onOver }: { seconds: number; onOver: () => void }) {
  const [until] = useState(() => Date.now() + seconds * 1000);
  const [left, setLeft] = useState(Math.ceil(seconds));
  useEffect(() => {
    const timer = setInterval(() => setLeft(Math.max(0, Math.ceil((until - Date.now()) / 1000))), 500);
    return () => clearInterval(timer);
  }, [until]);
  useEffect(() => {
    if (left === 0) onOver();
  }, [left, onOver]);
  const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
  return (
    <>
      You can try again in <strong className="numeric">{clock}</strong>.
    </>
  );
}
